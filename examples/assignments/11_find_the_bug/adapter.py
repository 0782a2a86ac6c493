"""Where the grader finds your work. Called otherwise in your file? Change the right-hand sides, not the names.

    difference(J, arrays, k, direction, h)              a number
    wrong_arguments(forward, rules, arrays, rng)        a list of whole numbers
    first_wrong(chain, x, rng)                          a whole number
"""
import find_the_bug as mine

difference = mine.difference
wrong_arguments = mine.wrong_arguments
first_wrong = mine.first_wrong
