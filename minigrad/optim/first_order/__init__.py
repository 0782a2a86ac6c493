"""First-order methods (sections 8.2.4, 8.3 and 8.5): each a subclass of `base.FirstOrder` with its `update(g)`."""
