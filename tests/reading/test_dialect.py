"""Messy files, each written here byte by byte, and the names and rows that a person sees in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdbt.engine.reading.dialect import sniff
from pdbt.engine.reading.model import ReadOptions
from pdbt.engine.reading.records import read_records
from tests.reading.written_files import DELIMITED, ENCODINGS, NEWLINES, PEOPLE, QUOTES, Case, cells, people

PREAMBLES = [
    Case("title", "Sales report\nid,name,age\n1,Ada,36.5\n2,Bob,41\n3,Cy,7.25\n", "id¦name¦age", PEOPLE),
    Case("title and blank", "Sales report 2024\n\n" + people(","), "id¦name¦age", PEOPLE),
    Case("comments", "# made by x, y\n# on 2024-01-05\n" + people(","), "id¦name¦age", PEOPLE),
    Case("keys", "Source: World Bank, IMF\nDate: 2024-01-05\nUnits: years, none, many, more\n\n" + people(","), "id¦name¦age", PEOPLE),
    Case(
        "keys of the same width", "Source: a, b, c\nid,name,age\n" + "\n".join(r.replace("¦", ",") for r in PEOPLE), "id¦name¦age", PEOPLE
    ),
    Case("excel title", "Report,,\n,,\n" + people(","), "id¦name¦age", PEOPLE),
    Case("excel keys", "Date:,2024-01-05,\nBy:,Ada,\n" + people(","), "id¦name¦age", PEOPLE),
    Case("leading blank lines", "\n\n  \n" + people(","), "id¦name¦age", PEOPLE),
    Case("long preamble", "".join(f"Line {i}: some words, and more\n" for i in range(12)) + people(";"), "id¦name¦age", PEOPLE),
    Case("quoted title", '"Report; with; many"\n' + people(";"), "id¦name¦age", PEOPLE),
    Case("sep line of Excel", "sep=;\n" + people(";"), "id¦name¦age", PEOPLE),
    Case("title in a semicolon file", "Bericht, Stand 5, Januar\n" + people(";"), "id¦name¦age", PEOPLE),
    Case("commented header", "#id\tname\tage\n1\tAda\t36.5\n2\tBob\t41\n3\tCy\t7.25\n", "id¦name¦age", PEOPLE),
]

HEADERS = [
    Case(
        "groups",
        ",,Sales,,Costs,\nid,name,q1,q2,q1,q2\n1,a,5,6,7,8\n2,b,6,7,8,9\n",
        "id¦name¦Sales_q1¦Sales_q2¦Costs_q1¦Costs_q2",
        ["1¦a¦5¦6¦7¦8", "2¦b¦6¦7¦8¦9"],
    ),
    Case(
        "groups cut short",
        "id,name,Sales,,Costs\n,,q1,q2,q1,q2\n1,a,5,6,7,8\n2,b,6,7,8,9\n",
        "id¦name¦Sales_q1¦Sales_q2¦Costs_q1¦Costs_q2",
        ["1¦a¦5¦6¦7¦8", "2¦b¦6¦7¦8¦9"],
    ),
    Case("units", "id,weight,height\n,kg,cm\n1,70.5,180\n2,60,170\n", "id¦weight_kg¦height_cm", ["1¦70.5¦180", "2¦60¦170"]),
    Case("units in brackets", "time,speed\n(s),(m/s)\n0.1,5\n0.2,6\n0.3,7\n", "time_(s)¦speed_(m/s)", ["0.1¦5", "0.2¦6", "0.3¦7"]),
    Case(
        "three rows",
        "Region,2019,,2020,\n,sales,cost,sales,cost\n,EUR,EUR,EUR,EUR\nNorth,5,6,7,8\nSouth,6,7,8,9\n",
        "Region¦2019_sales_EUR¦2019_cost_EUR¦2020_sales_EUR¦2020_cost_EUR",
        ["North¦5¦6¦7¦8", "South¦6¦7¦8¦9"],
    ),
    Case("no header", "1,Ada,36.5\n2,Bob,41\n3,Cy,7.25\n", "column_1¦column_2¦column_3", PEOPLE),
    Case("no header, numbers", "1,2,3\n4,5,6\n7,8,9\n", "column_1¦column_2¦column_3", ["1¦2¦3", "4¦5¦6", "7¦8¦9"]),
    Case("no header, text", "red,small\nblue,large\nred,large\n", "column_1¦column_2", ["red¦small", "blue¦large", "red¦large"]),
    Case("no header, dates", "2024-01-05,a\n2024-01-06,b\n", "column_1¦column_2", ["2024-01-05¦a", "2024-01-06¦b"]),
    Case("header alone", "id,name,age\n", "id¦name¦age", []),
    Case("header alone, no newline", "id;name;age", "id¦name¦age", []),
    Case("empty", "", "column_1", []),
    Case("newlines only", "\n\n\r\n", "column_1", []),
    Case("BOM only", b"\xef\xbb\xbf", "column_1", []),
    Case("one row", "id,name,age\n1,Ada,36.5\n", "id¦name¦age", PEOPLE[:1]),
    Case("one row of text", "first,last\nAda,Lovelace\n", "first¦last", ["Ada¦Lovelace"]),
    Case(
        "years",
        "country,2019,2020,2021\nFrance,67,68,69\nItaly,60,59,58\n",
        "country¦2019¦2020¦2021",
        ["France¦67¦68¦69", "Italy¦60¦59¦58"],
    ),
    Case(
        "years, first name empty", ",2019,2020\nFrance,6.7,6.8\nItaly,6.0,5.9\n", "column_1¦2019¦2020", ["France¦6.7¦6.8", "Italy¦6.0¦5.9"]
    ),
    Case("one year", "country,2020\nFrance,67\nItaly,60\n", "country¦2020", ["France¦67", "Italy¦60"]),
    Case("days", "name,1,2,3,4\nAda,8,8,7,0\nBob,7,8,8,1\n", "name¦1¦2¦3¦4", ["Ada¦8¦8¦7¦0", "Bob¦7¦8¦8¦1"]),
    Case(
        "dates as names", "region,2024-01-01,2024-02-01\nNorth,5,6\nSouth,7,8\n", "region¦2024-01-01¦2024-02-01", ["North¦5¦6", "South¦7¦8"]
    ),
    Case(
        "all text",
        "first,last,city\nAda,Lovelace,London\nAlan,Turing,Wilmslow\n",
        "first¦last¦city",
        ["Ada¦Lovelace¦London", "Alan¦Turing¦Wilmslow"],
    ),
    Case("duplicates", "a,A,b,,b\n1,2,3,4,5\n6,7,8,9,10\n", "a¦A_2¦b¦column_4¦b_2", ["1¦2¦3¦4¦5", "6¦7¦8¦9¦10"]),
    Case("duplicate that exists", "a,a,a_2\n1,2,3\n", "a¦a_3¦a_2", ["1¦2¦3"]),
    Case("spaces in names", " id , full name ,n\n1,Ada B,2\n", "id¦full name¦n", ["1¦Ada B¦2"]),
    Case("newline in a name", 'id,"full\nname",n\n1,Ada B,2\n2,Bob,3\n', "id¦full name¦n", ["1¦Ada B¦2", "2¦Bob¦3"]),
    Case("R row names", '"x","y"\n"1",5,"a"\n"2",6,"b"\n', "column_1¦x¦y", ["1¦5¦a", "2¦6¦b"]),
    Case("trailing delimiter", "a,b,c,\n1,2,3,\n4,5,6,\n", "a¦b¦c", ["1¦2¦3", "4¦5¦6"]),
    Case("trailing delimiter below", "a,b,c\n1,2,3,\n4,5,6,\n", "a¦b¦c", ["1¦2¦3", "4¦5¦6"]),
    Case("trailing delimiter above", "a,b,c,\n1,2,3\n4,5,6\n", "a¦b¦c", ["1¦2¦3", "4¦5¦6"]),
    Case("missing first value", "id,amount\n,5\n2,6\n3,7\n", "id¦amount", ["¦5", "2¦6", "3¦7"]),
    Case("dirty first value", "id,amount\n1,unknown\n2,6\n3,7\n4,8\n", "id¦amount", ["1¦unknown", "2¦6", "3¦7", "4¦8"]),
]

RAGGED = [
    Case("too few, too many", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,2,3\n", "a¦b¦c", ["1¦2¦3", "4¦5", "6¦7¦8¦9", "1¦2¦3"]),
    Case("ragged second line", "a,b,c\n4,5\n1,2,3\n6,7,8\n", "a¦b¦c", ["4¦5", "1¦2¦3", "6¦7¦8"]),
    Case("footer", "a,b\n1,2\n3,4\nTotal: 5 rows\n", "a¦b", ["1¦2", "3¦4", "Total: 5 rows"]),
]

ONE_COLUMN = [
    Case("numbers", "n\n1\n2\n3\n", "n", ["1", "2", "3"]),
    Case("decimal commas", "price\n1,5\n2,75\n3,0\n", "price", ["1,5", "2,75", "3,0"]),
    Case("thousands by spaces", "price\n1 234,56\n2 345,60\n", "price", ["1 234,56", "2 345,60"]),
    Case("times", "time\n12:30:00\n13:45:10\n", "time", ["12:30:00", "13:45:10"]),
    Case("dates", "day\n2024-01-05\n2024-01-06\n", "day", ["2024-01-05", "2024-01-06"]),
    Case("times without a header", "12:30:00\n13:45:10\n", "column_1", ["12:30:00", "13:45:10"]),
    Case("timestamps", "at\n2024-01-05 12:30\n2024-01-06 13:40\n", "at", ["2024-01-05 12:30", "2024-01-06 13:40"]),
    Case(
        "sentences",
        "comment\nHello, you there\nThis is it, is it not\nNo\nWell, well, well\n",
        "comment",
        ["Hello, you there", "This is it, is it not", "No", "Well, well, well"],
    ),
    Case("places", "place\nParis, France\nRome, Italy\nBonn, Germany\n", "place", ["Paris, France", "Rome, Italy", "Bonn, Germany"]),
    Case("quoted", 'text\n"a, b"\n"c; d"\n"e"\n', "text", ["a, b", "c; d", "e"]),
    Case(
        "full names", "full name\nAda Lovelace\nAlan Turing\nGrace Hopper\n", "full name", ["Ada Lovelace", "Alan Turing", "Grace Hopper"]
    ),
    Case("links", "link\nhttp://a.org/x\nhttps://b.org/y\n", "link", ["http://a.org/x", "https://b.org/y"]),
]

TEXT_ONLY = [
    Case("names twice", "name,city,name\nAda,Paris,x\nBob,Rome,y\n", "name¦city¦name_2", ["Ada¦Paris¦x", "Bob¦Rome¦y"]),
    Case("a name left out", "name,,city\nAda,x,Paris\nBob,y,Rome\n", "name¦column_2¦city", ["Ada¦x¦Paris", "Bob¦y¦Rome"]),
    Case(
        "a value left out",
        "Ada,,Paris\n" + "Bob,y,Rome\nCy,z,Bonn\nDi,u,Oslo\nEd,v,Bern\nFa,w,Graz\n",
        "column_1¦column_2¦column_3",
        ["Ada¦¦Paris", "Bob¦y¦Rome", "Cy¦z¦Bonn", "Di¦u¦Oslo", "Ed¦v¦Bern", "Fa¦w¦Graz"],
    ),
    Case("one column, values again", "red\nblue\nred\n", "column_1", ["red", "blue", "red"]),
    Case("header again", "color,size\nred,small\ncolor,size\nblue,large\n", "color¦size", ["red¦small", "color¦size", "blue¦large"]),
]

BLOCKS = [
    Case(
        "keys and values as wide as the table",
        "Station,North\nLat,48.5\n\ndate,temp\n2024-01-01,5\n2024-01-02,6\n",
        "date¦temp",
        ["2024-01-01¦5", "2024-01-02¦6"],
    ),
    Case("comments, one of them the header", "# by x\n# a\tb\n# units\n1\t2\n3\t4\n5\t6\n", "a¦b", ["1¦2", "3¦4", "5¦6"]),
    Case("commented header of text", "#id\tname\nx\tfoo\ny\tbar\n", "id¦name", ["x¦foo", "y¦bar"]),
    Case("a number sign for a name", "#,name,n\n1,a,5\n2,b,6\n", "#¦name¦n", ["1¦a¦5", "2¦b¦6"]),
    Case(
        "comment before a table of text",
        "# made by us, 2024\nfirst,last\nAda,Lovelace\nAlan,Turing\n",
        "first¦last",
        ["Ada¦Lovelace", "Alan¦Turing"],
    ),
    Case(
        "first row of unfit data",
        "city,n,m\nParis,unknown,unknown\nRome,5,6\nBonn,7,8\nOslo,9,1\n",
        "city¦n¦m",
        ["Paris¦unknown¦unknown", "Rome¦5¦6", "Bonn¦7¦8", "Oslo¦9¦1"],
    ),
    Case(
        "second header row of words",
        "Name,Weight,Height\ntext,kilograms,meters\nAda,60,1.7\nBob,80,1.8\n",
        "Name_text¦Weight_kilograms¦Height_meters",
        ["Ada¦60¦1.7", "Bob¦80¦1.8"],
    ),
    Case("every row too short", "a,b,c\n1,2\n3,4\n5,6\n", "a¦b¦c", ["1¦2", "3¦4", "5¦6"]),
    Case("blank line under the header", "a,b\n\n1,2\n3,4\n", "a¦b", ["1¦2", "3¦4"]),
    Case(
        "log",
        "2024-01-05 12:00:00 INFO starting up\n2024-01-05 12:00:01 WARN bad thing here\n2024-01-05 12:00:02 INFO done\n",
        "column_1",
        ["2024-01-05 12:00:00 INFO starting up", "2024-01-05 12:00:01 WARN bad thing here", "2024-01-05 12:00:02 INFO done"],
    ),
    Case("long names", ",".join(letter * 3000 for letter in "abc") + "\n1,2,3\n", "¦".join(letter * 3000 for letter in "abc"), ["1¦2¦3"]),
]

UNESCAPED = [
    Case(
        "html",
        'id,html,n\n1,"<a id="x">y</a>",5\n2,"<b class="c, d">",6\n',
        "id¦html¦n",
        ['1¦<a id="x">y</a>¦5', '2¦<b class="c, d">¦6'],
    ),
    Case("json", 'id,j,n\n1,"{"a":1,"b":2}",5\n2,"{"a":3,"b":4}",6\n', "id¦j¦n", ['1¦{"a":1,"b":2}¦5', '2¦{"a":3,"b":4}¦6']),
    Case("json without quotes", 'id\tj\n1\t{"a":1,"b":"x"}\n2\t{"a":3}\n', "id¦j", ['1¦{"a":1,"b":"x"}', '2¦{"a":3}']),
    Case("single quotes", "id,'name'\n1,'O'Brien'\n2,'D'Arcy, X'\n3,'Z'\n", "id¦name", ["1¦O'Brien", "2¦D'Arcy, X", "3¦Z"]),
    Case("several open quotes", 'a,b\n"x,1\ny,2\n"z,3\nw,4\n', "a¦b", ['"x¦1', "y¦2", '"z¦3', "w¦4"]),
    Case("as MySQL writes", "1\ta\\\tb\t\\N\n2\tc\t5\n3\te\t6\n", "column_1¦column_2¦column_3", ["1¦a\tb¦\\N", "2¦c¦5", "3¦e¦6"]),
    Case("one row too long", "a,b,c\n1,2,3,4\n", "a¦b¦c", ["1¦2¦3¦4"]),
    Case("one row too short", "a,b,c\n1,2\n", "a¦b¦c", ["1¦2"]),
    Case("arrows", "a->b->c\n1->-2->3\n4->5->6\n", "a¦b¦c", ["1¦-2¦3", "4¦5¦6"]),
]

DOWNLOADS = [
    Case(
        "German bank",
        '"Konto:";"DE12 / Giro";\n\n"Von:";"01.01.2024";\n"Saldo:";"5.000,00 EUR";\n\n"Tag";"Text";"Betrag";\n'
        '"01.01.2024";"Miete";"-500,00";\n'
        '"02.01.2024";"Gehalt";"2.000,00";\n',
        "Tag¦Text¦Betrag",
        ["01.01.2024¦Miete¦-500,00", "02.01.2024¦Gehalt¦2.000,00"],
    ),
    Case(
        "World Bank",
        '"Source","Indicators",\n\n"Updated","2024-01-05",\n\n"Country","Code","1960","1961",\n"Aruba","ABW","1.5","2.5",\n'
        '"Angola","AGO","","3.5",\n',
        "Country¦Code¦1960¦1961",
        ["Aruba¦ABW¦1.5¦2.5", "Angola¦AGO¦¦3.5"],
    ),
    Case(
        "ps",
        "  PID TTY          TIME CMD\n    1 ?        00:00:01 systemd\n  345 pts/0    00:00:00 bash\n 1234 pts/1    00:10:00 vi x\n",
        "PID¦TTY¦TIME¦CMD",
        ["1¦?¦00:00:01¦systemd", "345¦pts/0¦00:00:00¦bash", "1234¦pts/1¦00:10:00¦vi x"],
    ),
    Case(
        "df",
        "Filesystem 1K-blocks     Used Use% Mounted on\nudev         8147484        0   0% /dev\ntmpfs        1635116     1884   1% /run\n"
        "/dev/sda1  238810780 50000000  23% /\n",
        "Filesystem¦1K-blocks¦Used¦Use%¦Mounted on",
        ["udev¦8147484¦0¦0%¦/dev", "tmpfs¦1635116¦1884¦1%¦/run", "/dev/sda1¦238810780¦50000000¦23%¦/"],
    ),
]

NEIGHBOURS = [
    Case("decimal commas in a semicolon file", "id;price;qty\n1;1,5;2,5\n2;2,75;3,0\n", "id¦price¦qty", ["1¦1,5¦2,5", "2¦2,75¦3,0"]),
    Case("decimal commas without a header", "1;1,5;2,5\n2;2,75;3,0\n", "column_1¦column_2¦column_3", ["1¦1,5¦2,5", "2¦2,75¦3,0"]),
    Case("two decimal commas", "1,5;2,5\n1,6;2,6\n1,7;2,7\n", "column_1¦column_2", ["1,5¦2,5", "1,6¦2,6", "1,7¦2,7"]),
    Case("text full of commas", "id;text\n1;a, b, c\n2;d, e, f\n3;g, h, i\n", "id¦text", ["1¦a, b, c", "2¦d, e, f", "3¦g, h, i"]),
    Case("times and commas", "at,n\n12:30:00,5\n12:31:00,6\n", "at¦n", ["12:30:00¦5", "12:31:00¦6"]),
    Case("times without header", "12:30:00,5\n12:31:00,6\n", "column_1¦column_2", ["12:30:00¦5", "12:31:00¦6"]),
    Case("tabs and commas", "id\tcity\n1\tParis, FR\n2\tRome, IT\n", "id¦city", ["1¦Paris, FR", "2¦Rome, IT"]),
    Case("caret and commas", "1^Paris, FR\n2^Rome, IT\n3^Bonn, DE\n", "column_1¦column_2", ["1¦Paris, FR", "2¦Rome, IT", "3¦Bonn, DE"]),
    Case("hidden in quotes", 'id,text\n1,"a;b;c;d"\n2,"e;f;g;h"\n', "id¦text", ["1¦a;b;c;d", "2¦e;f;g;h"]),
    Case(
        "hidden lines in quotes",
        'id;text\n1;"x,y\nx,y\nx,y\nx,y"\n2;"x,y\nx,y\nx,y"\n',
        "id¦text",
        ["1¦x,y\nx,y\nx,y\nx,y", "2¦x,y\nx,y\nx,y"],
    ),
    Case("lists by pipes", "id,tags\n1,a|b\n2,c|d\n3,e|f\n", "id¦tags", ["1¦a|b", "2¦c|d", "3¦e|f"]),
    Case("empty columns", "a;b;c;d\n1;;;2\n3;;;4\n", "a¦b¦c¦d", ["1¦¦¦2", "3¦¦¦4"]),
    Case("empty cells between bars", "a||b||c\n1||||2\n3||x||4\n", "a¦b¦c", ["1¦¦2", "3¦x¦4"]),
    Case(
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/bin/no\n",
        "¦".join(f"column_{i}" for i in range(1, 8)),
        ["root¦x¦0¦0¦root¦/root¦/bin/sh", "bin¦x¦1¦1¦bin¦/bin¦/bin/no"],
    ),
]

ALIGNED = [
    Case(
        "numbers that grow",
        "1 5\n2 6\n3 7\n4 8\n5 9\n6 1\n10 2\n100 23\n",
        "column_1¦column_2",
        ["1¦5", "2¦6", "3¦7", "4¦8", "5¦9", "6¦1", "10¦2", "100¦23"],
    ),
    Case("runs", "id name age\n1 Ada 36.5\n2 Bob 41\n3 Cy 7.25\n", "id¦name¦age", PEOPLE),
    Case("left aligned", "id   name   age\n1    Ada    36.5\n2    Bob    41\n3    Cy     7.25\n", "id¦name¦age", PEOPLE),
    Case("right aligned", "  id  name   age\n   1   Ada  36.5\n   2   Bob    41\n   3    Cy  7.25\n", "id¦name¦age", PEOPLE),
    Case(
        "spaces in values",
        "id   full name      age\n1    Ada Lovelace   36\n2    Bob            41\n3    Cy de la Tour  7\n",
        "id¦full name¦age",
        ["1¦Ada Lovelace¦36", "2¦Bob¦41", "3¦Cy de la Tour¦7"],
    ),
    Case("empty cells", "id  name  age\n1   Ada   36\n2         41\n3   Cy\n", "id¦name¦age", ["1¦Ada¦36", "2¦¦41", "3¦Cy¦"]),
    Case("ruled", "id   name   age\n---- ------ ----\n1    Ada    36.5\n2    Bob    41\n3    Cy     7.25\n", "id¦name¦age", PEOPLE),
    Case(
        "psql", " id | name | age  \n----+------+------\n  1 | Ada  | 36.5\n  2 | Bob  |   41\n  3 | Cy   | 7.25\n", "id¦name¦age", PEOPLE
    ),
    Case("quoted words", 'id name n\n1 "Ada B" 5\n2 "Bob C" 6\n', "id¦name¦n", ["1¦Ada B¦5", "2¦Bob C¦6"]),
    Case(
        "sensor",
        "2024-01-05 12:30:00 5.5 7\n2024-01-05 12:31:00 5.6 8\n2024-01-05 12:32:00 5.7 9\n",
        "column_1¦column_2¦column_3¦column_4",
        ["2024-01-05¦12:30:00¦5.5¦7", "2024-01-05¦12:31:00¦5.6¦8", "2024-01-05¦12:32:00¦5.7¦9"],
    ),
]

OPTIONS = [
    Case("delimiter said", "a,b;c\n1,2;3\n", "a,b¦c", ["1,2¦3"], ReadOptions(delimiter=";")),
    Case("no header said", "a,b\n1,2\n", "column_1¦column_2", ["a¦b", "1¦2"], ReadOptions(header=False)),
    Case("header said", "1,2\n3,4\n", "1¦2", ["3¦4"], ReadOptions(header=True)),
    Case("two header rows said", "a,b\nc,d\ne,f\n", "a_c¦b_d", ["e¦f"], ReadOptions(header=2)),
    Case("encoding said", "a,b\nŽ,1\n".encode("cp1250"), "a¦b", ["Ž¦1"], ReadOptions(encoding="cp1250")),
]

CASES = [
    *DELIMITED,
    *QUOTES,
    *NEWLINES,
    *ENCODINGS,
    *PREAMBLES,
    *HEADERS,
    *RAGGED,
    *ONE_COLUMN,
    *TEXT_ONLY,
    *BLOCKS,
    *UNESCAPED,
    *DOWNLOADS,
    *NEIGHBOURS,
    *ALIGNED,
    *OPTIONS,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_messy_file_is_read_as_a_person_sees_it(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(case.bytes())
    sniffed = sniff(path, case.options)
    rows = [record.fields for record in read_records(path, sniffed.dialect)]
    assert (sniffed.dialect.names, rows) == (cells(case.names), [cells(row) for row in case.rows])
    assert sniffed.rows == rows
    assert sniffed.complete
