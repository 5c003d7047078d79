"""Words that several commands print."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row`` or ``1,800 rows``; the plural is told where it does more than add an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
