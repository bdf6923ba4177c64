"""The bypass suite: who is who, what is planted, what is tried, and how an answer is judged.

``golden.csv`` says, for each of our addresses, method and asker, what must come of it; ``datasette.csv``, for each
address that Datasette itself has, whether it is shut or which of our routes answers there; ``canaries.csv``, who may
ever see which planted value. An address that is in neither table fails the suite. See ``tests/catalog/test_bypass.py``.
"""
