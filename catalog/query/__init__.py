"""``POST /api/query`` and its page: what an agency asks of one table, or of many by subject.

One concept a file: what a request may look like (:mod:`shapes`, :mod:`model`), which columns there are (:mod:`schema`),
who may have which (:mod:`permit`), the statement (:mod:`statement`), running it (:mod:`reading`), paging
(:mod:`cursor`), and what comes of it: :mod:`api`, :mod:`batch`, :mod:`page`, :mod:`openapi`.
"""
