"""Second-order methods (section 8.6): a direction each, and `linesearch` for how far to go along it."""
