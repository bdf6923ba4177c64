"""Who asks: agencies, their systems' keys and tokens, their officers, roles and sessions.

What others rely on is an entry in the ledger first; identity.db follows the ledger (:mod:`catalog.identity.projection`)
and adds the secrets, hashed, that an entry must not hold.
"""
