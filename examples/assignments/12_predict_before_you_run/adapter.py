"""Where the grader finds your work. Called otherwise in your file? Change the right-hand sides, not the names.

    largest_stable_rate(H, method, momentum)       a number
    steps_of_cg(H, g)                              a whole number
    factor(method, eigenvalue, setting)            a number
    leaves(H, theta, method, setting)              True or False
"""
import predict_before_you_run as mine

largest_stable_rate = mine.largest_stable_rate
steps_of_cg = mine.steps_of_cg
factor = mine.factor
leaves = mine.leaves
