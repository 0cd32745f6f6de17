use proptest::prelude::*;

use super::{Event, Fault, Item, Leaf, ReadLimits, Reader, Source, Span};

const LIMITS: ReadLimits = ReadLimits { depth: 4, attributes: 2 };

/// Events up to the end or the fault; a leaf is its three events.
fn events(document: &str, next: impl Fn(&mut Reader<'_>) -> Result<Item, Fault>) -> (Vec<Event>, Option<Fault>) {
    let source = Source::read(document.as_bytes(), 1 << 20);
    let mut reader = Reader::new(&source, LIMITS);
    let mut events = Vec::new();
    loop {
        match next(&mut reader) {
            Ok(Item::Leaf(Leaf { local, offset, text })) => {
                events.extend([Event::Start { local, offset }, Event::Text(text), Event::End]);
            }
            Ok(Item::Event(Event::Finished)) => return (events, None),
            Ok(Item::Event(event)) => events.push(event),
            Err(fault) => return (events, Some(fault)),
        }
    }
}

fn one_by_one(reader: &mut Reader<'_>) -> Result<Item, Fault> {
    reader.next().map(Item::Event)
}

/// Without text that is empty: a leaf has it, an element of two tags alone has not.
fn with_text((mut events, fault): (Vec<Event>, Option<Fault>)) -> (Vec<Event>, Option<Fault>) {
    events.retain(|event| !matches!(event, Event::Text(Span { start, end }) if start == end));
    (events, fault)
}

/// Pieces that fit together often, so that leaves are as frequent as what is nearly one.
fn document() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<b>",
        "</b>",
        "<a>t</a>",
        "<b></b>",
        "<b x='1'>",
        "<b/>",
        "<a >",
        "</a >",
        "<n:a xmlns:n='u'>",
        "</n:a>",
        "<n:a>",
        "<é>",
        "</é>",
        "t",
        " ",
        "\n  ",
        "\r\n",
        "]",
        "]]>",
        "&amp;",
        "&",
        "é",
        "\u{1}",
        "<",
        "</",
        ">",
        "<!--c-->",
        "<![CDATA[x]]>",
        "<?p?>",
        "a text that is longer than the words that are looked at one by one",
    ]);
    let inside = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => inside.clone().prop_map(|inside| format!("<r>{inside}</r>")), 1 => inside]
}

/// Bytes that are not UTF-8, and none.
const BROKEN: [&[u8]; 9] =
    [b"", b"\xFF", b"\x80", b"\xC3", b"\xE2\x82", b"\xF0\x9F\x98", b"\xC0\x80", b"\xED\xA0\x80", b"\xF4\x90\x80\x80"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Also behind the first 64 bytes, up to which no vector instruction is used.
    #[test]
    fn text_ends_where_utf_8_is_broken(before in "[a-zé€😀]{0,90}", broken in prop::sample::select(&BROKEN[..]), after in "[a-z]{0,90}") {
        let bytes = [before.as_bytes(), broken, after.as_bytes()].concat();
        let expected = std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let source = Source::read(&bytes, 1 << 20);
        prop_assert_eq!(source.text().as_bytes(), &bytes[..expected]);
    }

    #[test]
    fn leaf_stands_for_its_events(document in document(), max_text_bytes in prop_oneof![Just(3_usize), Just(1000)]) {
        let leaves = events(&document, |reader| reader.next_or_leaf(max_text_bytes));
        prop_assert_eq!(with_text(leaves), with_text(events(&document, one_by_one)));
    }

    #[test]
    fn only_white_space_is_passed_over(document in document()) {
        let blank = |event: &Event| matches!(event, Event::Text(span) if span.of(&document).trim_ascii().is_empty());
        let without_blanks = |(mut events, fault): (Vec<Event>, Option<Fault>)| {
            events.retain(|event| !blank(event));
            (events, fault)
        };
        let passed_over = events(&document, |reader| {
            reader.pass_over_blanks();
            one_by_one(reader)
        });
        prop_assert_eq!(without_blanks(passed_over), without_blanks(events(&document, one_by_one)));
    }

    #[test]
    fn end_of_a_text_is_the_first_byte_that_may_end_it(text in "[a<&\\]é]{0,3}[a-zé;=:\\[]{0,90}[a<&\\]é]{0,3}") {
        let first = |from: usize| text[from..].find(['<', '&', ']']).map_or(text.len(), |length| from + length);
        for (from, _) in text.char_indices() {
            prop_assert_eq!(super::characters::find_end_of_text(&text, from), first(from));
        }
    }
}

#[test]
fn leaf_is_open_until_the_next_event() {
    let source = Source::read(b"<r xmlns='u'><a>t</a></r>", 100);
    let mut reader = Reader::new(&source, LIMITS);
    assert!(matches!(reader.next_or_leaf(10), Ok(Item::Event(Event::Start { .. }))), "the root is no leaf");
    assert!(matches!(reader.next_or_leaf(10), Ok(Item::Leaf(_))));
    assert_eq!((reader.open_names().collect(), reader.namespace()), (vec!["r", "a"], Some("u")));
    assert_eq!(reader.next_or_leaf(10), Ok(Item::Event(Event::End)));
    assert_eq!(reader.next_or_leaf(10), Ok(Item::Event(Event::Finished)));
}

#[test]
fn element_with_a_longer_text_is_no_leaf() {
    let source = Source::read(b"<r><a>four</a></r>", 100);
    let reads_leaf = |max_text_bytes| {
        let mut reader = Reader::new(&source, LIMITS);
        reader.next_or_leaf(max_text_bytes).is_ok() && matches!(reader.next_or_leaf(max_text_bytes), Ok(Item::Leaf(_)))
    };
    assert!(reads_leaf(4) && !reads_leaf(3));
}
