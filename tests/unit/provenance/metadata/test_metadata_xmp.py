from __future__ import annotations

import time

import pytest

from sdsafe.errors import MetadataError
from sdsafe.provenance.metadata.aigc import MAX_LABEL_BYTES, AigcLabel
from sdsafe.provenance.metadata.model import DataMining, DigitalSourceType, Metadata, plain
from sdsafe.provenance.metadata.xmp import MAX_PACKET_BYTES, parse, render

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def packet(inner: str = "", attributes: str = "") -> bytes:
    return f"{HEAD} {attributes}>{inner}{TAIL}".encode()


def code_of(data: bytes) -> str:
    """Return the code that reading ends with; it must end quickly."""
    start = time.monotonic()
    with pytest.raises(MetadataError) as caught:
        parse(data)
    assert time.monotonic() - start < 2
    return caught.value.code


def test_the_bytes_of_a_packet() -> None:
    metadata = Metadata(
        digital_source_type=DigitalSourceType.TRAINED,
        ai_system="owner/model",
        creators=("A & B", "<C>"),
        rights="© 2026",
        aigc=AigcLabel(content_producer="某", produce_id="7"),
    )
    assert render(metadata).decode() == (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">\n'
        "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
        "</Iptc4xmpExt:DigitalSourceType>\n"
        "<Iptc4xmpExt:AISystemUsed>owner/model</Iptc4xmpExt:AISystemUsed>\n"
        "<dc:creator><rdf:Seq><rdf:li>A &amp; B</rdf:li><rdf:li>&lt;C&gt;</rdf:li></rdf:Seq></dc:creator>\n"
        '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2026</rdf:li></rdf:Alt></dc:rights>\n'
        '<TC260:AIGC>{"Label":"1","ContentProducer":"某","ProduceID":"7","ReservedCode1":"",'
        '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}</TC260:AIGC>\n'
        "</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  spaces around  ",
        "\ttab, \nline, \r\nlines, \rold line\r",
        "<b>&amp;</b> ]]> \"quotes\" 'apostrophes' <?pi?> <!-- c -->",
        "\u0645\u0631\u062d\u0628\u0627 \u202eright to left\u202c \u200f",
        "🦊👩\u200d🚀🏳️\u200d🌈 \U0010ffff",
        "e\u0301 is not é, \u2028 \x85 \xa0 \ufeff",
        "界" * 10_000,
        "&" * 10_000,
        "a b" * 3_334,
    ],
)
def test_texts_come_back_as_they_went_in(text: str) -> None:
    metadata = Metadata(prompt=text, rights=text, creators=(text, text), aigc=AigcLabel(content_producer=text))
    assert parse(render(metadata)) == metadata


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_refused_and_can_be_replaced(character: str) -> None:
    for fields in ({"prompt": character}, {"creators": ("a", character)}, {"aigc": AigcLabel(produce_id=character)}):
        with pytest.raises(MetadataError) as caught:
            Metadata(**fields)  # type: ignore[arg-type]
        assert caught.value.code == "metadata.value"
    assert plain(f"a{character}b") == "a\ufffdb"
    assert plain(plain(character)) == plain(character)


@pytest.mark.parametrize("value", ["trainedAlgorithmicMedia", "http://example.com/trainedAlgorithmicMedia", ""])
def test_a_source_type_that_is_no_term_is_read_but_not_written(value: str) -> None:
    with pytest.raises(MetadataError, match="digital_source_type") as caught:
        render(Metadata(digital_source_type=value))
    assert caught.value.code == "metadata.value"
    text = f"<Iptc4xmpExt:DigitalSourceType>{value}</Iptc4xmpExt:DigitalSourceType>"
    assert parse(packet(text)) == Metadata(digital_source_type=value)


def test_a_data_mining_statement_that_is_no_term_is_not_written() -> None:
    with pytest.raises(MetadataError, match="data_mining"):
        render(Metadata(data_mining="DMI-PROHIBITED"))
    assert parse(render(Metadata(data_mining=DataMining.PROHIBITED))).data_mining == DataMining.PROHIBITED


def test_a_packet_that_is_too_large_is_not_written() -> None:
    with pytest.raises(MetadataError) as caught:
        render(Metadata(prompt="x" * MAX_PACKET_BYTES))
    assert caught.value.code == "metadata.too-large"


@pytest.mark.parametrize(
    ("inner", "attributes", "expected"),
    [
        ("", 'Iptc4xmpExt:AISystemUsed="X &amp; Y"', Metadata(ai_system="X & Y")),
        ("", 'dc:creator="One"', Metadata(creators=("One",))),
        ("<dc:creator>One</dc:creator>", "", Metadata(creators=("One",))),
        ("<dc:rights>R</dc:rights>", "", Metadata(rights="R")),
        ('<plus:DataMining rdf:resource="http://x/"/>', "", Metadata(data_mining="http://x/")),
        (
            "<photoshop:Credit><rdf:Bag>\n <rdf:li>C</rdf:li>\n</rdf:Bag></photoshop:Credit>",
            "",
            Metadata(credit="C"),
        ),
        (
            '<dc:rights><rdf:Alt><rdf:li xml:lang="de">D</rdf:li><rdf:li xml:lang="X-Default">X</rdf:li></rdf:Alt></dc:rights>',
            "",
            Metadata(rights="X"),
        ),
        ('<dc:rights><rdf:Alt><rdf:li xml:lang="de">D</rdf:li></rdf:Alt></dc:rights>', "", Metadata(rights="D")),
        ("<dc:creator><rdf:Seq/></dc:creator>", "", Metadata()),
        ("<dc:title>other</dc:title><other:x xmlns:other='u:'><a/></other:x>", "", Metadata()),
        ('<TC260:AIGC>{"AIGC":{"Label":"2"}}</TC260:AIGC>', "", Metadata(aigc=AigcLabel(label="2"))),
    ],
)
def test_the_forms_that_others_write(inner: str, attributes: str, expected: Metadata) -> None:
    assert parse(packet(inner, attributes)) == expected


def test_several_descriptions_and_a_bare_rdf_root_are_read() -> None:
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://purl.org/dc/elements/1.1/"'
        ' xmlns:p="http://ns.adobe.com/photoshop/1.0/"><rdf:Description d:rights="R"/>'
        '<rdf:Description p:Credit="C"/></rdf:RDF>'
    )
    assert parse(rdf.encode()) == Metadata(rights="R", credit="C")
    assert parse(b"\xef\xbb\xbf" + rdf.encode() + b"\x00 \n") == Metadata(rights="R", credit="C")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   \x00",
        b"not xml",
        b"<a",
        b"<a></b>",
        b"<a>&undefined;</a>",
        b"<a/><a/>",
        b"<html/>",
        packet() + packet(),
        b"<r:RDF xmlns:r='http://example.com/'/>",
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
        packet(attributes='dc:rights="A"', inner="<dc:rights>B</dc:rights>"),
        packet("<dc:rights>A</dc:rights><dc:rights>A</dc:rights>"),
        packet("<photoshop:Credit><rdf:Seq><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></photoshop:Credit>"),
        packet("<photoshop:Credit><b>bold</b></photoshop:Credit>"),
        packet("<dc:creator><rdf:Seq><rdf:li><b>x</b></rdf:li></rdf:Seq></dc:creator>"),
        packet("<dc:creator><rdf:Seq/><rdf:Seq/></dc:creator>"),
        packet("<dc:rights><rdf:Alt/></dc:rights>"),
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><other/></rdf:RDF>',
        "<?xml version='1.0'?><a/>".encode("utf-16-be"),
    ],
)
def test_what_is_not_one_readable_packet_is_malformed(data: bytes) -> None:
    assert code_of(data) == "metadata.malformed"


LAUGHS = ["ha", *(f"&a{i};" * 10 for i in range(11))]
BOMB = (
    "<!DOCTYPE x ["
    + "".join(f'<!ENTITY a{i} "{says}">' for i, says in enumerate(LAUGHS))
    + f"]><x>&a{len(LAUGHS) - 1};</x>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        f'<!DOCTYPE x [<!ENTITY a "{"A" * 50_000}">]><x>{"&a;" * 10_000}</x>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>',
        '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/e">%e;]><x/>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
        "<!DOCTYPE x><x/>",
        "<a>" * 100_000,
        "<a>" * 40 + "</a>" * 40,
        f"<a>{'<b/>' * 30_000}</a>",
        "<a " + " ".join(f"b{i}=''" for i in range(30_000)) + "/>",
    ],
    ids=[
        "laughs",
        "quadratic",
        "external",
        "parameter",
        "dtd",
        "doctype",
        "deep-open",
        "deep",
        "many",
        "attributes",
    ],
)
def test_what_only_an_attacker_writes_is_not_read(text: str) -> None:
    assert code_of(text.encode()) == "metadata.unsafe"


def test_sizes_and_encodings_are_checked_before_parsing() -> None:
    assert code_of(b" " * (MAX_PACKET_BYTES + 1)) == "metadata.too-large"
    assert code_of(packet("<dc:rights>\xff</dc:rights>").decode().encode("latin-1")) == "metadata.encoding"
    assert code_of(packet().decode().encode("utf-16")) == "metadata.encoding"


def test_a_declared_encoding_does_not_change_what_is_read() -> None:
    text = "<?xml version='1.0' encoding='iso-8859-1'?>" + packet("<dc:rights>©</dc:rights>").decode()
    assert parse(text.encode()).rights == "©"


def test_no_error_quotes_the_packet() -> None:
    for data in (b"<secret>&undefined;", packet("<TC260:AIGC>secret</TC260:AIGC>"), b"<secret"):
        with pytest.raises(MetadataError) as caught:
            parse(data)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "null",
        "[]",
        "{}",
        '{"AIGC":null}',
        '{"AIGC":{}}',
        '{"other":"x"}',
        '{"Label":1}',
        '{"Label":"1","Label":"2"}',
        '{"AIGC":{"Label":"1","Label":"1"}}',
        '{"Label":"1"',
        "[" * 60_000,
        f'{{"Label":"{"x" * MAX_LABEL_BYTES}"}}',
    ],
)
def test_labels_that_do_not_read(text: str) -> None:
    with pytest.raises(MetadataError) as caught:
        AigcLabel.parse(text)
    assert caught.value.code == "metadata.aigc"


def test_the_label_has_the_keys_of_the_standard_in_order() -> None:
    label = AigcLabel(
        label="1",
        content_producer="P",
        produce_id="I",
        reserved_code1="R",
        content_propagator="Q",
        propagate_id="J",
        reserved_code2="S",
    )
    inner = (
        '{"Label":"1","ContentProducer":"P","ProduceID":"I","ReservedCode1":"R","ContentPropagator":"Q",'
        '"PropagateID":"J","ReservedCode2":"S"}'
    )
    assert label.render() == inner
    assert label.render_wrapped() == f'{{"AIGC":{inner}}}'
    assert AigcLabel.parse(inner) == AigcLabel.parse(label.render_wrapped()) == label
    assert AigcLabel.parse('{"Label":"1","Further":[1]}') == AigcLabel()
    assert AigcLabel(content_producer="某 🦊").render_wrapped().isascii()
