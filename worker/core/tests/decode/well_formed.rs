//! Which documents are XML: each rule that a lenient reader would let pass has a line here.

use rstest::rstest;
use serde_json::json;

use crate::{decode, plan};

fn outcome(document: &[u8]) -> String {
    decode(&plan("/a", json!([{"name": "text", "path": "text()"}])), document).outcome()
}

#[rstest]
#[case::empty_element("<a/>")]
#[case::blank_in_tags("<a ></a\n>")]
#[case::declaration("<?xml version='1.0'?><a/>")]
#[case::full_declaration("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone='yes' ?>\n<a/>")]
#[case::blanks_around_equals("<?xml version = '1.0' encoding\t=\n'utf-8'?><a/>")]
#[case::us_ascii("<?xml version='1.0' encoding='us-ascii'?><a>x</a>")]
#[case::byte_order_mark("\u{FEFF}<?xml version='1.0'?><a/>")]
#[case::mark_without_declaration("\u{FEFF}<a/>")]
#[case::white_space_around_root("\n\t <a/>\r\n ")]
#[case::comments_everywhere("<!-- a --><a><!-- - b --></a><!---->")]
#[case::instructions_everywhere("<?p?><a><?p x > ?></a><?xml-stylesheet href='x'?>")]
#[case::cdata("<a><![CDATA[ <&]] > ]]></a>")]
#[case::empty_cdata("<a><![CDATA[]]></a>")]
#[case::predefined_entities("<a b='&lt;&quot;'>&amp;&lt;&gt;&apos;&quot;</a>")]
#[case::character_references("<a>&#65;&#x41;&#x1F600;&#9;&#0000000000000000065;</a>")]
#[case::escaped_cdata_end("<a>]]&gt;</a>")]
#[case::brackets("<a>]] > ]></a>")]
#[case::greater_than("<a b='>'>></a>")]
#[case::quotes_in_values("<a b='\"' c=\"'\"/>")]
#[case::blank_attribute("<a b = 'c'\n/>")]
#[case::unicode_names("<a><größe ñ='1'/><日本/></a>")]
#[case::punctuation_in_names("<a><_b.c-d1/></a>")]
#[case::namespaces("<x:a xmlns:x='urn:x' x:b='1' b='2'><c xmlns='urn:d'/></x:a>")]
#[case::default_undeclared("<a xmlns='urn:a'><b xmlns=''/></a>")]
#[case::prefix_xml("<a xml:lang='en' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>")]
#[case::prefix_used_before_declared("<a b:c='1' xmlns:b='urn:b'/>")]
#[case::delete_character("<a>\u{7F}\u{85}\u{FFFD}\u{10FFFF}</a>")]
#[case::inner_byte_order_mark("<a>\u{FEFF}</a>")]
fn accepted(#[case] document: &str) {
    assert_eq!(outcome(document.as_bytes()), "accepted");
}

#[rstest]
#[case::nothing("")]
#[case::blank(" \n")]
#[case::text("a")]
#[case::only_declaration("<?xml version='1.0'?>")]
#[case::only_comment("<!-- a -->")]
#[case::mismatched("<a></b>")]
#[case::crossed("<a><b></a></b>")]
#[case::unclosed("<a><b></b>")]
#[case::end_without_start("</a>")]
#[case::end_after_root("<a/></a>")]
#[case::unfinished_tag("<a")]
#[case::unfinished_end("<a></a")]
#[case::prefix_differs("<x:a xmlns:x='u' xmlns:y='u'></y:a>")]
#[case::two_roots("<a/><a/>")]
#[case::text_before_root("x<a/>")]
#[case::text_after_root("<a/>x")]
#[case::reference_after_root("<a/>&#32;")]
#[case::cdata_after_root("<a/><![CDATA[]]>")]
#[case::cdata_before_root("<![CDATA[]]><a/>")]
#[case::no_break_space_after_root("<a/>\u{A0}")]
#[case::two_marks("\u{FEFF}\u{FEFF}<a/>")]
#[case::duplicate_attribute("<a b='1' c='2' b='3'/>")]
#[case::duplicate_by_namespace("<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>")]
#[case::duplicate_declaration("<a xmlns:x='u' xmlns:x='v'/>")]
#[case::unquoted_value("<a b=c/>")]
#[case::no_value("<a b/>")]
#[case::value_without_name("<a ='b'/>")]
#[case::open_quote("<a b='c></a>")]
#[case::no_blank_between_attributes("<a b='1'c='2'/>")]
#[case::less_than_in_value("<a b='<'/>")]
#[case::less_than_in_text("<a> < </a>")]
#[case::bare_ampersand("<a>b & c</a>")]
#[case::ampersand_at_the_end("<a>&</a>")]
#[case::ampersand_in_value("<a b='b & c'/>")]
#[case::unclosed_reference("<a>&amp</a>")]
#[case::undefined_entity("<a>&nbsp;</a>")]
#[case::undefined_entity_in_value("<a b='&nbsp;'/>")]
#[case::empty_reference("<a>&;</a>")]
#[case::empty_number("<a>&#;&#x;</a>")]
#[case::capital_hexadecimal("<a>&#X41;</a>")]
#[case::signed_number("<a>&#+65;</a>")]
#[case::reference_to_null("<a>&#0;</a>")]
#[case::reference_to_control("<a b='&#x1F;'/>")]
#[case::reference_to_surrogate("<a>&#xD800;</a>")]
#[case::reference_beyond_unicode("<a>&#x110000;</a>")]
#[case::reference_overflows("<a>&#99999999999999999999;</a>")]
#[case::reference_to_noncharacter("<a>&#xFFFE;</a>")]
#[case::null_character("<a>\0</a>")]
#[case::control_character("<a>\u{1B}</a>")]
#[case::control_in_value("<a b='\u{8}'/>")]
#[case::control_in_comment("<a/><!-- \u{C} -->")]
#[case::noncharacter("<a>\u{FFFE}</a>")]
#[case::last_noncharacter("<a>\u{FFFF}</a>")]
#[case::null_after_root("<a/>\0")]
#[case::two_hyphens("<a><!-- b -- c --></a>")]
#[case::three_hyphens("<a><!-- b ---></a>")]
#[case::short_comment("<a><!--></a>")]
#[case::shorter_comment("<a><!---></a>")]
#[case::open_comment("<a><!-- </a>")]
#[case::cdata_end_in_text("<a>]]></a>")]
#[case::open_cdata("<a><![CDATA[ </a>")]
#[case::lower_case_cdata("<a><![cdata[]]></a>")]
#[case::unknown_bang("<a><!ELEMENT b></a>")]
#[case::lower_case_doctype("<!doctype a><a/>")]
#[case::lower_case_doctype_without_name("<!doctype><a/>")]
#[case::open_instruction("<a><?b </a>")]
#[case::instruction_without_name("<a><? b?></a>")]
#[case::empty_instruction("<a><??></a>")]
#[case::one_question_mark("<a><?></a>")]
#[case::instruction_with_colon("<a><?b:c?></a>")]
#[case::declaration_in_the_middle("<a><?xml version='1.0'?></a>")]
#[case::declaration_after_blank(" <?xml version='1.0'?><a/>")]
#[case::declaration_after_comment("<!----><?xml version='1.0'?><a/>")]
#[case::capital_declaration("<?XML version='1.0'?><a/>")]
#[case::declaration_without_version("<?xml encoding='UTF-8'?><a/>")]
#[case::declaration_of_nothing("<?xml?><a/>")]
#[case::declaration_out_of_order("<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>")]
#[case::declaration_repeats("<?xml version='1.0' version='1.0'?><a/>")]
#[case::declaration_unknown("<?xml version='1.0' mode='x'?><a/>")]
#[case::declaration_unquoted("<?xml version=1.0?><a/>")]
#[case::declaration_unblank("<?xml version='1.0'encoding='UTF-8'?><a/>")]
#[case::declaration_standalone("<?xml version='1.0' standalone='maybe'?><a/>")]
#[case::declaration_of_no_encoding("<?xml version='1.0' encoding=''?><a/>")]
#[case::version_of_letters("<?xml version='one'?><a/>")]
#[case::open_declaration("<?xml version='1.0'")]
#[case::digit_begins_name("<a><1b/></a>")]
#[case::hyphen_begins_name("<a><-b/></a>")]
#[case::blank_before_name("<a>< b/></a>")]
#[case::symbol_in_name("<a><b$/></a>")]
#[case::attribute_in_end("<a></a b='c'>")]
#[case::slash_in_tag("<a / ></a>")]
#[case::nested_tag("<a<b>></a>")]
#[case::undeclared_prefix("<x:a/>")]
#[case::undeclared_attribute_prefix("<a x:b='1'/>")]
#[case::prefix_out_of_scope("<a><b xmlns:x='u'/><x:c/></a>")]
#[case::two_colons("<x:y:a xmlns:x='u'/>")]
#[case::colon_first("<:a/>")]
#[case::colon_last("<x: xmlns:x='u'/>")]
#[case::undeclaring_a_prefix("<a xmlns:x=''/>")]
#[case::declaring_xmlns("<a xmlns:xmlns='u'/>")]
#[case::rebinding_xml("<a xmlns:xml='u'/>")]
#[case::other_prefix_for_xml("<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>")]
#[case::default_is_xmlns("<a xmlns='http://www.w3.org/2000/xmlns/'/>")]
#[case::prefix_xmlns("<xmlns:a/>")]
fn not_well_formed(#[case] document: &str) {
    assert_eq!(outcome(document.as_bytes()), "NotWellFormed");
}

#[rstest]
#[case::version_1_1(b"<?xml version='1.1'?><a/>", "UnsupportedVersion")]
#[case::version_2_0(b"<?xml version='2.0'?><a/>", "UnsupportedVersion")]
#[case::doctype(b"<!DOCTYPE a><a/>", "DoctypeNotAllowed")]
#[case::doctype_with_entities(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "DoctypeNotAllowed")]
#[case::doctype_inside(b"<a><!DOCTYPE a></a>", "DoctypeNotAllowed")]
#[case::open_doctype(b"<!DOCTYPE a [", "DoctypeNotAllowed")]
fn refused_for_another_reason(#[case] document: &[u8], #[case] reason: &str) {
    assert_eq!(outcome(document), reason);
}

/// A document has the error that stands first in it.
#[rstest]
#[case::doctype_before_broken_byte(b"<!DOCTYPE a><a>\xFF</a>", "DoctypeNotAllowed")]
#[case::mismatch_before_broken_byte(b"<a></b>\xFF", "NotWellFormed")]
#[case::broken_byte_before_mismatch(b"<a>\xFF</b>", "InvalidEncoding")]
#[case::control_before_broken_byte(b"<a>\x01\xFF</a>", "NotWellFormed")]
#[case::broken_byte_before_control(b"<a>\xFF\x01</a>", "InvalidEncoding")]
#[case::broken_byte_in_a_tag(b"<a b='1' \xFF></a>", "InvalidEncoding")]
#[case::fault_before_broken_byte_in_a_tag(b"<a $ \xFF></a>", "NotWellFormed")]
#[case::broken_byte_in_a_name(b"<a><b\xFF></a>", "InvalidEncoding")]
#[case::broken_byte_for_a_name(b"<a><\xFF></a>", "InvalidEncoding")]
#[case::broken_byte_in_a_reference(b"<a>&am\xFF;</a>", "InvalidEncoding")]
#[case::broken_byte_in_a_value(b"<a b='&am\xFF;'/>", "InvalidEncoding")]
#[case::broken_byte_in_a_comment(b"<a><!-\xFF- </a>", "InvalidEncoding")]
#[case::broken_byte_in_an_end_tag(b"<a></\xFFa>", "InvalidEncoding")]
#[case::broken_byte_behind_the_root(b"<a/> \xFF", "InvalidEncoding")]
fn the_first_error_counts(#[case] document: &[u8], #[case] reason: &str) {
    assert_eq!(outcome(document), reason);
}

fn nested(depth: usize) -> String {
    format!("<a>{}{}</a>", "<b>".repeat(depth - 1), "</b>".repeat(depth - 1))
}

fn with_attributes(count: usize) -> String {
    format!("<a{}/>", (0..count).map(|number| format!(" b{number}=''")).collect::<String>())
}

#[rstest]
#[case::deepest(nested(128), "accepted")]
#[case::too_deep(nested(129), "TooDeep")]
#[case::far_too_deep(nested(100_000), "TooDeep")]
#[case::only_starts("<a>".repeat(100_000), "TooDeep")]
#[case::most_attributes(with_attributes(1_000), "accepted")]
#[case::too_many_attributes(with_attributes(1_001), "TooManyAttributes")]
#[case::longest_text(format!("<a>{}</a>", "x".repeat(10 << 20)), "accepted")]
#[case::text_too_long(format!("<a>{}</a>", "x".repeat((10 << 20) + 1)), "TextTooLong")]
#[case::text_too_long_in_parts(format!("<a>{0}<!---->{0}&lt;</a>", "x".repeat(5 << 20)), "TextTooLong")]
#[case::long_text_of_no_column(format!("<a><b>{}</b></a>", "x".repeat((10 << 20) + 1)), "accepted")]
#[case::message_too_large(format!("<a>{}</a>", " ".repeat(16 << 20)), "MessageTooLarge")]
fn limits(#[case] document: String, #[case] expected: &str) {
    assert_eq!(outcome(document.as_bytes()), expected);
}

fn rows(count: usize) -> String {
    format!("<a>{}</a>", "<r/>".repeat(count))
}

#[test]
fn more_than_100_000_rows_are_refused() {
    let plan = plan("/a/r", json!([{"name": "text", "path": "text()"}]));
    assert_eq!(decode(&plan, rows(100_000)).outcome(), "accepted");
    let reject = decode(&plan, rows(100_001)).reject();
    assert_eq!(reject.reason, "TooManyRows");
    assert_eq!(reject.place, Some((1, 400_004)));
}

#[test]
fn wide_rows_are_limited_by_the_values_that_they_would_take() {
    let columns: Vec<_> = (0..1_000).map(|n| json!({"name": format!("c{n}"), "path": format!("c{n}")})).collect();
    let plan = plan("/a/r", json!(columns));
    assert_eq!(decode(&plan, rows(2_000)).outcome(), "accepted");
    assert_eq!(decode(&plan, rows(2_001)).outcome(), "TooManyRows");
}

/// However an element is written, a fault about its value names the same place.
#[rstest]
#[case("<t></t>")]
#[case("<t/>")]
#[case("<t></t >")]
fn too_many_values_are_told_at_the_same_place(#[case] element: &str) {
    let list = |n| json!({"name": format!("c{n}"), "path": "t", "repeated": "List"});
    let plan = plan("/l/b", json!((0..1_000).map(list).collect::<Vec<_>>()));
    let decoded = decode(&plan, format!("<l><b>{}</b></l>", element.repeat(2_001)));
    let reject = decoded.reject();
    assert_eq!((reject.reason.as_str(), reject.path.as_deref()), ("TooManyRows", Some("/l/b[1]")));
}

#[test]
fn a_great_text_outside_the_rows_is_not_repeated_beyond_memory() {
    let plan = plan("/a/r", json!([{"name": "outside", "path": "/a/@b"}]));
    let document = |rows: usize| format!("<a b='{}'>{}</a>", "x".repeat(1 << 20), "<r/>".repeat(rows));
    assert_eq!(decode(&plan, document(60)).outcome(), "accepted");
    assert_eq!(decode(&plan, document(100)).outcome(), "MessageTooLarge");
}
