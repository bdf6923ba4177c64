"""The request desk (DESIGN §6): asking another agency's people, the clock that runs, answering, disputing.

- :mod:`shelf`: a file that follows the ledger's cases, for lists; :mod:`files`: attachments.
- :mod:`ask` and :mod:`subjects`: what a request must say, checked before anything is stored.
- :mod:`desk`: every move as a function: who may, in which role, and its entry; told who was faster.
- :mod:`moves`: what each kind of move takes from a form or a call: one place a kind.
- :mod:`view`: a case as pages and programs see it; :mod:`pages`, :mod:`api`.

What a case allows is no rule of this package: :mod:`ledger.cases` says it, for everybody.
"""
