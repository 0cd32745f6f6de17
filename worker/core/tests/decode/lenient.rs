//! What quick-xml, read event by event as its documentation shows, takes for XML: the rules that a reader of one's own
//! has to add. Each is refused by the decoder.

use rstest::rstest;
use serde_json::json;

use crate::invariants::quick_xml_accepts;
use crate::{decode, plan};

#[rstest]
#[case::no_root("<!-- a -->")]
#[case::two_roots("<a/><a/>")]
#[case::unclosed_element("<a><b></b>")]
#[case::text_outside_the_root("x<a/>")]
#[case::cdata_outside_the_root("<a/><![CDATA[x]]>")]
#[case::reference_outside_the_root("<a/>&#32;")]
#[case::attribute_twice("<a b='1' b='2'/>")]
#[case::attribute_without_value("<a b/>")]
#[case::attribute_without_quotes("<a b=c/>")]
#[case::no_blank_between_attributes("<a b='1'c='2'/>")]
#[case::less_than_in_a_value("<a b='<'/>")]
#[case::ampersand_in_a_value("<a b='b & c'/>")]
#[case::undefined_entity("<a>&nbsp;</a>")]
#[case::reference_to_an_illegal_character("<a>&#0;</a>")]
#[case::illegal_character("<a>\u{1}</a>")]
#[case::illegal_character_in_a_comment("<a><!-- \u{1} --></a>")]
#[case::illegal_character_in_an_instruction("<a><?b \u{1}?></a>")]
#[case::illegal_character_in_cdata("<a><![CDATA[\u{1}]]></a>")]
#[case::noncharacter("<a>\u{FFFE}</a>")]
#[case::two_hyphens_in_a_comment("<a><!-- b -- c --></a>")]
#[case::end_of_cdata_in_text("<a>]]></a>")]
#[case::name_of_a_digit("<a><1b/></a>")]
#[case::name_of_a_symbol("<a><b$/></a>")]
#[case::attribute_name_of_a_digit("<a 1b=''/>")]
#[case::instruction_without_name("<a><? b?></a>")]
#[case::declaration_in_the_middle("<a><?xml version='1.0'?></a>")]
#[case::declaration_after_white_space(" <?xml version='1.0'?><a/>")]
#[case::declaration_without_version("<?xml encoding='UTF-8'?><a/>")]
#[case::declaration_out_of_order("<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>")]
#[case::declaration_of_nonsense("<?xml version='one' standalone='maybe'?><a/>")]
#[case::instruction_in_capitals("<?XML version='1.0'?><a/>")]
#[case::document_type_in_lower_case("<!doctype a><a/>")]
#[case::tag_in_a_tag("<a<b></a<b>")]
#[case::undeclared_prefix("<x:a/>")]
#[case::undeclared_prefix_of_an_attribute("<a x:b='1'/>")]
#[case::attribute_twice_by_namespace("<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>")]
#[case::two_colons("<x:y:a xmlns:x='u'/>")]
#[case::undeclaring_a_prefix("<a xmlns:x=''/>")]
#[case::rebinding_xml("<a xmlns:xml='u'/>")]
fn quick_xml_lets_through_and_the_decoder_does_not(#[case] document: &str) {
    assert!(quick_xml_accepts(document), "quick-xml has become strict here: remove the case");
    let decoded = decode(&plan("/a", json!([{"name": "text", "path": "text()"}])), document.as_bytes());
    assert_eq!(decoded.outcome(), "NotWellFormed");
}
