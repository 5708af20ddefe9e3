"""A search for settings: many short trainings of one recipe, each with other values, on Optuna.

Each module is imported by its own name; only `journal` and `study` import Optuna, which is an extra.

space       the file that says what is varied; checked against the recipe
owner       which process a trial belongs to, and whether it is still there
folder      the search's folder: what is in it, locks, what several processes agree on
journal     what happened, as lines of one file that several processes append to
study       trials: begun, ended, given up where their process is gone
trial       one training, judged on held-out training images
results     trials as rows, the best recipe as a file
figures     the trials as pictures
loop        all of it, until as many trials have ended as were asked for
"""
