"""The studio: a live page on this machine, to look into networks and to watch them train.

Reading order: items, tail, watcher (what there is), trainings (runs started here), wire, worker, workers, desk, opened,
films (what computes, in processes of its own), security, streams, answers, pages, app, server. The page itself is in
static/.
"""
