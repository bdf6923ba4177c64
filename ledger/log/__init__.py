"""A tamper-evident log of bytes in the C2SP formats. It knows nothing of law and nothing of what entries say."""
