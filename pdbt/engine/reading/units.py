"""Units and types as the second row of a header names them: kg, m/s, (EUR), varchar."""

from __future__ import annotations

import re

_SYMBOLS = frozenset(
    """% ‰ ° °C °F C F K m mm cm dm km nm µm um in ft yd mi mile s ms µs us ns min h hr d a y yr g mg µg ug kg t lb lbs oz l L ml mL
    cl dl hl gal N kN Pa hPa kPa MPa bar mbar psi atm J kJ MJ GJ cal kcal W kW MW GW TW Wh kWh MWh GWh TWh V mV kV A mA µA Ah mAh
    Ω ohm µF pF H mH T Hz kHz MHz GHz rpm dB dBm mol mmol M mM µM ppm ppb ppt pH lx lm cd rad deg sr px pt em B kB KB MB GB TB bit
    kbit Mbit bps kbps Mbps Gbps ha m2 m3 m² m³ cm2 cm3 cm² cm³ km2 km² mm2 mm² sqm sqft ft2 ft² µSv mSv Sv Bq Gy kt kn kph mph
    km/h m/s mmHg mV/m n/a - EUR USD GBP CHF JPY CNY INR CAD AUD SEK NOK DKK PLN CZK HUF BRL MXN TRY RUB ZAR KRW € $ £ ¥ k€ k$ T€
    Mio M€ M$ # no. No. pcs pc Stk Std""".split()
)
_WORDS = frozenset(
    """unit units kilogram kilograms gram grams milligram milligrams ton tons tonne tonnes pound pounds ounce ounces meter meters
    metre metres kilometer kilometers kilometre kilometres centimeter centimeters centimetre centimetres millimeter millimeters
    millimetre millimetres inch inches foot feet yard yards mile miles liter liters litre litres milliliter milliliters gallon
    gallons second seconds minute minutes hour hours day days week weeks month months year years degree degrees celsius fahrenheit
    kelvin percent percentage pascal pascals bar volt volts ampere amperes amp amps watt watts kilowatt kilowatts joule joules
    hertz newton newtons byte bytes euro euros dollar dollars people persons count number pieces ratio text string str char
    varchar nvarchar integer int int8 int16 int32 int64 bigint smallint tinyint long short float float32 float64 double real
    decimal numeric bool boolean date datetime timestamp timestamptz time uuid json blob object category""".split()
)
# (5.00) is a negative amount as accountants write it, and no unit.
_BRACKETED = re.compile(r"[(\[](?![\d\s.,+-]*[)\]]$).*[)\]]")
_PARTS = re.compile(r"\s*[/*·]\s*|\s+(?:per\s+)?")
_POWER = re.compile(r"(?:\^?-?[1-4]|[²³⁻¹]+)$")
_LENGTH = re.compile(r"\(\d+(?:,\s*\d+)?\)$")
_MOST_PARTS = 3


def is_unit(cell: str) -> bool:
    """Return True if a cell of a header names a unit or a type."""
    text = cell.strip()
    if _BRACKETED.fullmatch(text) or _is_simple(text):
        return True
    parts = _PARTS.split(text)
    return 1 < len(parts) <= _MOST_PARTS and all(map(_is_simple, parts))


def _is_simple(text: str) -> bool:
    return text in _SYMBOLS or _LENGTH.sub("", text).lower() in _WORDS or (len(text) > 1 and _POWER.sub("", text) in _SYMBOLS)
