"""Files that differ in how they are written down: delimiters, quotes, line ends, encodings."""

from __future__ import annotations

from dataclasses import dataclass, field

from pdbt.engine.reading.model import ReadOptions


@dataclass(frozen=True)
class Case:
    """A file and what is in it."""

    label: str
    content: bytes | str
    names: str
    rows: list[str]
    options: ReadOptions = field(default_factory=ReadOptions)

    def bytes(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()


def cells(text: str) -> tuple[str, ...]:
    """Write expected cells with ¦ between them, which no case uses."""
    return tuple(text.split("¦"))


PEOPLE = ["1¦Ada¦36.5", "2¦Bob¦41", "3¦Cy¦7.25"]


def people(delimiter: str, newline: str = "\n") -> str:
    return newline.join(delimiter.join(cells(row)) for row in ["id¦name¦age", *PEOPLE]) + newline


DELIMITERS = [
    *[",", ";", "\t", "|", "^", "~", ":", "\x01", "\x1f", "#"],
    *["||", "::", "|~|", ";;", "<>", "\t\t", " | ", "~|~", "^|^", "##", "@@", "=>", "|#|", ", ", "; ", "&&", "|||", "~~"],
]

DELIMITED = [Case(f"delimiter {each!r}", people(each), "id¦name¦age", PEOPLE) for each in DELIMITERS]

QUOTES = [
    Case("doubled quotes", 'id,text\n1,"a ""b"" c"\n2,"x, y"\n', "id¦text", ['1¦a "b" c', "2¦x, y"]),
    Case("backslash quotes", 'id,text\n1,"a \\"b\\" c"\n2,"x, y"\n', "id¦text", ['1¦a "b" c', "2¦x, y"]),
    Case("single quotes", "id,text\n1,'a, b'\n2,'it''s'\n3,O'Brien\n", "id¦text", ["1¦a, b", "2¦it's", "3¦O'Brien"]),
    Case("all single quotes", "'id','text'\n'1','a, b'\n'2','c'\n", "id¦text", ["1¦a, b", "2¦c"]),
    Case("apostrophes", "id,name,n\n1,O'Brien,5\n2,D'Arcy,6\n3,'t Hooft,7\n", "id¦name¦n", ["1¦O'Brien¦5", "2¦D'Arcy¦6", "3¦'t Hooft¦7"]),
    Case("inches", 'id,part,n\n1,5" pipe,3\n2,"6"" pipe",4\n3,7",5\n', "id¦part¦n", ['1¦5" pipe¦3', '2¦6" pipe¦4', '3¦7"¦5']),
    Case("quotes in quotes", 'id,text,n\n1,"He said "hi" to me",3\n2,plain,4\n', "id¦text¦n", ['1¦He said "hi" to me¦3', "2¦plain¦4"]),
    Case(
        "quotes with commas in quotes",
        'id,text,n\n1,"He said "hi", and left",3\n2,p,4\n',
        "id¦text¦n",
        ['1¦He said "hi", and left¦3', "2¦p¦4"],
    ),
    Case("quoted word at the start", 'id,text,n\n1,"quoted" word,3\n2,p,4\n', "id¦text¦n", ['1¦"quoted" word¦3', "2¦p¦4"]),
    Case("never closed", 'id,text,n\n1,"open,3\n2,"b",4\n3,c,5\n', "id¦text¦n", ['1¦"open¦3', "2¦b¦4", "3¦c¦5"]),
    Case("never closed at the end", 'id,text,n\n1,a,3\n2,"b,4\n', "id¦text¦n", ["1¦a¦3", '2¦"b¦4']),
    Case("closed by chance", 'id,text,n\n1,"open,3\n2,b,4"\n3,c,5\n', "id¦text¦n", ['1¦"open¦3', '2¦b¦4"', "3¦c¦5"]),
    Case("newline in quotes", 'id,text,n\n1,"a\nb",3\n2,"c\n\nd",4\n', "id¦text¦n", ["1¦a\nb¦3", "2¦c\n\nd¦4"]),
    Case("newline and comma and quotes", 'a,b\n"x\n1,2\n3,4 ""q""\n",5\n"y",6\n', "a¦b", ['x\n1,2\n3,4 "q"\n¦5', "y¦6"]),
    Case("spaces around quotes", 'id, text, n\n1, "a, b", 3\n2 , "c" , 4\n', "id¦text¦n", ["1¦a, b¦3", "2¦c¦4"]),
    Case("json in quotes", 'id;doc\n1;"{""a"": [1, 2]}"\n2;"{""b"": null}"\n', "id¦doc", ['1¦{"a": [1, 2]}', '2¦{"b": null}']),
    Case("windows paths", 'id,path\n1,"C:\\temp\\"\n2,"D:\\x, y\\"\n', "id¦path", ["1¦C:\\temp\\", "2¦D:\\x, y\\"]),
    Case("escaped delimiter", "id,text,n\n1,a\\, b,3\n2,c,4\n3,d\\,e,5\n", "id¦text¦n", ["1¦a, b¦3", "2¦c¦4", "3¦d,e¦5"]),
    Case("quotes and several characters", 'id||text||n\n1||"a||b"||3\n2||c||4\n', "id¦text¦n", ["1¦a||b¦3", "2¦c¦4"]),
    Case("empty quoted", 'a,b,c\n"","x",""\n"y","",1\n', "a¦b¦c", ["¦x¦", "y¦¦1"]),
]

NEWLINES = [
    Case("CR", people(",", "\r"), "id¦name¦age", PEOPLE),
    Case("CRLF", people(",", "\r\n"), "id¦name¦age", PEOPLE),
    Case("mixed", "id,name,age\r\n1,Ada,36.5\n2,Bob,41\r3,Cy,7.25", "id¦name¦age", PEOPLE),
    Case("no last newline", people(",").rstrip(), "id¦name¦age", PEOPLE),
    Case("many last newlines", people(",") + "\n\n\r\n\n", "id¦name¦age", PEOPLE),
    Case("blank lines between", people(",").replace("\n", "\n\n"), "id¦name¦age", PEOPLE),
    Case("old end of file", people(",") + "\x1a", "id¦name¦age", PEOPLE),
    Case("CRLF in quotes", 'a,b\r\n1,"x\r\ny"\r\n2,z\r\n', "a¦b", ["1¦x\r\ny", "2¦z"]),
]

ENCODINGS = [
    Case(
        f"{encoding}",
        "ville;pays\nOrléans;Côte d’Ivoire\nZürich;Česko\n".encode(encoding),
        "ville¦pays",
        ["Orléans¦Côte d’Ivoire", "Zürich¦Česko"],
    )
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
] + [
    Case("windows-1252", "ville;prix\nOrléans;5 €\nNîmes;7 €\n".encode("cp1252"), "ville¦prix", ["Orléans¦5 €", "Nîmes¦7 €"]),
    Case("latin-1", "ville;n\nOrléans;5\nNîmes\x81;7\n".encode("latin-1"), "ville¦n", ["Orléans¦5", "Nîmes\x81¦7"]),
    Case("mostly utf-8", "ville;n\nOrléans;5\nNîmes;7\n".encode() + b"Li\xe8ge;3\n", "ville¦n", ["Orléans¦5", "Nîmes¦7", "Liège¦3"]),
    Case("utf-16-be with BOM", b"\xfe\xff" + "a;b\n1;é\n".encode("utf-16-be"), "a¦b", ["1¦é"]),
    Case("utf-32-be with BOM", b"\x00\x00\xfe\xff" + "a;b\n1;é\n".encode("utf-32-be"), "a¦b", ["1¦é"]),
    Case("utf-8 BOM and quotes", b"\xef\xbb\xbf" + b'"a b","c"\n1,2\n', "a b¦c", ["1¦2"]),
    Case("cyrillic utf-16-le", "имя,возраст\nИван,5\nАнна,6\n".encode("utf-16-le"), "имя¦возраст", ["Иван¦5", "Анна¦6"]),
]
