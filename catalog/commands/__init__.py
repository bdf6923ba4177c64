"""Commands that keep the register: agencies, officers, keys, tokens, published resources."""
