"""Run folders: what a training run leaves, how it is found again, and how it is opened.

Each module is imported by its own name, because some are light and others are not:

folder, film, summary    what is in a folder; no kernel and no data set is loaded
settings, start          what a run is made of: recipe, data, seed, threads, the model file it starts from
opening                  its data set, its network with the saved weights, the whole model
"""
