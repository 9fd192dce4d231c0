//! Tests of the reader.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Node, crate::Problem> {
    read(&Arc::from("f.yaml"), text)
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn values_know_their_places() {
    let root = parse("a:\n  - x\n  - b: 'no'\n    c: no\n").unwrap();
    let list = root.get("a").unwrap();
    assert_eq!(list.items()[0].place.to_string(), "f.yaml:2:5");
    let b = list.items()[1].get("b").unwrap();
    assert_eq!(b.place.to_string(), "f.yaml:3:8");
    assert_eq!(b.value, Value::Scalar(Scalar { text: "no".into(), plain: false }));
    assert_eq!(list.items()[1].entries()[1].place.to_string(), "f.yaml:4:5");
}

#[test]
fn nothing_is_an_empty_mapping() {
    for text in ["", "# only a comment\n", "---\n", "~"] {
        assert_eq!(parse(text).unwrap().value, Value::Map(Vec::new()), "{text:?}");
    }
    assert!(parse("a:\nb: ~\n").unwrap().entries().iter().all(|e| e.node.is_null()));
}

#[test]
fn aliases_and_merge_keys() {
    let root = parse(
        "x-base: &base {a: 1, b: 2}\nx-more: &more {b: 3, c: 4}\none:\n  <<: *base\n  a: 5\ntwo:\n  <<: [*more, *base]\nthree: *base\n",
    )
    .unwrap();
    let texts = |key: &str| -> Vec<String> {
        let map = root.get(key).unwrap();
        map.entries().iter().map(|e| format!("{}={}", e.key, e.node.as_text().unwrap())).collect()
    };
    assert_eq!(texts("one"), ["a=5", "b=2"]);
    assert_eq!(texts("two"), ["b=3", "c=4", "a=1"]);
    assert_eq!(texts("three"), ["a=1", "b=2"]);
    assert_eq!(refused("a: 1\n<<: 5\n"), "f.yaml:2:5: `<<` merges mappings only");
}

#[test]
fn what_is_refused_has_its_place() {
    assert_eq!(
        refused("a: 1\nb: 2\na: 3\n"),
        "f.yaml:3:1: `a` stands twice, first in line 1. Keep one of them"
    );
    assert!(refused("a: [1, 2\n").contains(": this is no YAML: "), "{}", refused("a: [1, 2\n"));
    assert!(refused("a: *nowhere\n").starts_with("f.yaml:1:4: this is no YAML: "));
    assert!(refused("a: 1\n---\nb: 2\n").contains("a second document begins here"));
    assert!(refused("a: !secret x\n").contains("the tag `!secret` means nothing here"));
    assert!(refused("{[a]: 1}").contains("a key is a single value"));
    assert!(refused("a: &a [*a]\n").starts_with("f.yaml:1:8: "));
}

#[test]
fn tags_of_a_merge() {
    let root = parse("a: !reset null\nb: !override [1]\nc: !!str 5\n").unwrap();
    assert_eq!(root.get("a").unwrap().tag, Some(Tag::Reset));
    assert_eq!(root.get("b").unwrap().tag, Some(Tag::Override));
    assert_eq!(root.get("c").unwrap().tag, None);
}

#[test]
fn bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let before = n - 1;
        laughs += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
    }
    assert!(refused(&laughs).contains("more than 200000 values"));
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(refused(&deep).contains("stand in each other"));
    assert!(refused(&" ".repeat(MAX_BYTES + 1)).contains("larger than"));
    assert!(refused(&"- x\n".repeat(MAX_ENTRIES + 1)).contains("more than 10000 entries"));
}

proptest! {
    #[test]
    fn never_panics(text in "[a-c0:{}\\[\\],&*<!\"'|>#~ \n-]{0,80}") {
        drop(parse(&text));
    }
}
