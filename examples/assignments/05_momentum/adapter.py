"""Where the grader finds your work. Called otherwise in your file? Change the right-hand sides, not the names."""
import momentum as mine

Momentum = mine.Momentum
Nesterov = mine.Nesterov
descend = mine.descend
terminal_velocity = mine.terminal_velocity
