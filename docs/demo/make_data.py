"""Write the demo's files again: what a shop, its customer system and its warehouse export, warts and all.

The same seed gives the same bytes, and a test says so. Run it as ``python docs/demo/make_data.py``.
"""

from __future__ import annotations

import csv
import io
import random
import sys
from datetime import date, timedelta
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
SEED = 20260103
CUSTOMERS = 240
ORDERS = 1_800
RETURNS = 160
FIRST_DAY = date(2025, 1, 2)
DAYS = 363

CITIES = (
    ("Zürich", "Switzerland"),
    ("Genève", "Switzerland"),
    ("København", "Denmark"),
    ("Århus", "Denmark"),
    ("Málaga", "Spain"),
    ("A Coruña", "Spain"),
    ("Besançon", "France"),
    ("Orléans", "France"),
    ("Köln", "Germany"),
    ("Lübeck", "Germany"),
    ("Coimbra", "Portugal"),
    ("Évora", "Portugal"),
)
STREETS = ("Rue des Forêts", "Gartenstraße", "Calle Peñón", "Nørregade", "Rua da Conceição", "Am Mühlbach")
FIRST_NAMES = ("Amélie", "Björn", "Chloé", "Dörte", "Íñigo", "Jürgen", "Lucía", "Mads", "Noémie", "Søren", "Tomé", "Zoë")
LAST_NAMES = ("Ångström", "Béranger", "da Graça", "Garçon", "Grünwald", "Ibáñez", "Keller", "Muñoz", "O'Neill", "Sørensen", "Weiß", "Yáñez")
SEGMENTS = ("Consumer", "Consumer", "Consumer", "Business", "Business", "Public sector")
PRODUCTS = (
    ("Coffee", "Espresso beans 1 kg", 24_90),
    ("Coffee", "Filter grind 500 g", 11_50),
    ("Tea", "Darjeeling, first flush", 18_75),
    ("Tea", "Rooibos 250 g", 7_20),
    ("Machines", 'Grinder "Moka 3"', 349_00),
    ("Machines", "Espresso machine", 1_249_00),
    ("Accessories", "Cups, set of 6", 42_00),
    ("Accessories", "Descaler", 9_95),
)
REASONS = ("damaged", "wrong item", "late", "changed mind")


def decimal_comma(cents: int) -> str:
    """Write an amount the way a German spreadsheet does: 124900 cents are ``1.249,00``."""
    whole, rest = divmod(cents, 100)
    return f"{whole:,}".replace(",", ".") + f",{rest:02d}"


def customers(chance: random.Random) -> str:
    """Return the customer system's export: three lines of preamble, quoted addresses of two lines, numbers like 00042."""
    text = io.StringIO()
    text.write("Customer master data\nExported 2026-01-03 07:45 by CRM 4.2\n\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Customer No", "Name", "Segment", "Address", "City", "Country", "Customer since"])
    for number in range(1, CUSTOMERS + 1):
        city, country = chance.choice(CITIES)
        writer.writerow(
            [
                f"{number:05d}",
                f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}",
                chance.choice(SEGMENTS),
                f"{chance.choice(STREETS)} {chance.randint(1, 99)}\n{chance.randint(1000, 99999):05d} {city}",
                city,
                country,
                (FIRST_DAY - timedelta(days=chance.randint(1, 2_000))).isoformat(),
            ]
        )
    text.write("\n\n")
    return text.getvalue()


def orders(chance: random.Random) -> str:
    """Return the shop's export: semicolons, decimal commas, day-first dates, CRLF; the euro sign shows that it is no Latin-1."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Order No", "Order date", "Customer No", "Category", "Product", "Quantity", "Unit price (€)", "Amount (€)", "Paid on"])
    for number in range(1, ORDERS + 1):
        day = FIRST_DAY + timedelta(days=number * DAYS // ORDERS)
        category, product, price = chance.choice(PRODUCTS)
        quantity = chance.randint(1, 3) if price > 100_00 else chance.randint(1, 12)
        paid = day + timedelta(days=chance.randint(0, 45))
        writer.writerow(
            [
                f"SO-{2025_0000 + number}",
                f"{day:%d.%m.%Y}",
                f"{chance.randint(1, CUSTOMERS):05d}",
                category,
                product,
                quantity,
                decimal_comma(price),
                decimal_comma(price * quantity),
                f"{paid:%d.%m.%Y}" if chance.random() < 0.94 else "",
            ]
        )
    return text.getvalue()


def returns(chance: random.Random) -> dict[str, str]:
    """Return the warehouse's quarterly files: one table, whose columns changed places and grew by one in July."""
    numbers = sorted(chance.sample(range(1, ORDERS + 1), RETURNS))
    files = {}
    for quarter in range(1, 5):
        headers = ["order_no", "units", "reason"] if quarter < 3 else ["reason", "order_no", "units", "refunded"]
        lines = ["|".join(headers)]
        for number in numbers[(quarter - 1) * RETURNS // 4 : quarter * RETURNS // 4]:
            row = {
                "order_no": f"SO-{2025_0000 + number}",
                "units": str(chance.randint(1, 2)),
                "reason": chance.choice(REASONS),
                "refunded": chance.choice(("true", "true", "false")),
            }
            lines.append("|".join(row[header] for header in headers))
        files[f"returns/2025-q{quarter}.txt"] = "\n".join(lines) + "\n"
    return files


def files() -> dict[str, bytes]:
    """Return every file of the demo by its path below ``docs/demo/data``."""
    chance = random.Random(SEED)
    content = {
        "customers.csv": customers(chance).encode("utf-8-sig"),
        "orders.csv": orders(chance).encode("windows-1252"),
    }
    content.update({path: text.encode() for path, text in returns(chance).items()})
    return content


def main() -> int:
    """Write the files where they belong."""
    for path, content in files().items():
        (DATA / path).parent.mkdir(parents=True, exist_ok=True)
        (DATA / path).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
