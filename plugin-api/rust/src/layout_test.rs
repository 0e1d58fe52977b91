//! Holds `raw` to what gcc and clang make of plugin.h: plugin-api/abi/layout-1.MINOR.golden, the newest one.
use crate::raw;
use std::collections::BTreeMap;
use std::mem::{align_of, size_of};

struct Field {
    offset: usize,
    size: usize,
    kind: String,
}

struct Golden {
    structs: BTreeMap<String, (usize, Vec<(String, Field)>)>,
    constants: BTreeMap<String, String>,
}

fn read_golden() -> Golden {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../abi");
    let newest =
        (0..100).filter_map(|minor| std::fs::read_to_string(format!("{directory}/layout-1.{minor}.golden")).ok());
    let text = newest.last().expect("plugin-api/abi holds no layout-1.MINOR.golden");
    let mut golden = Golden { structs: BTreeMap::new(), constants: BTreeMap::new() };
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(" = ").filter(|_| line.starts_with("TH_")) {
            golden.constants.insert(name.into(), constant_value(value));
            continue;
        }
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[0].split_once('.') {
            Some((owner, field)) => {
                let read = Field {
                    offset: words[1].parse().unwrap(),
                    size: words[2].parse().unwrap(),
                    kind: rust_type(words[3]),
                };
                golden.structs.get_mut(owner).unwrap().1.push((field.into(), read));
            }
            None => {
                golden.structs.insert(words[0].into(), (words[1].parse().unwrap(), Vec::new()));
            }
        }
    }
    golden
}

/// `(1u << 3)`, `(-13)`, `4096u` and `"text"` as Rust prints the value.
fn constant_value(c: &str) -> String {
    let bare = c.trim_start_matches('(').trim_end_matches(')').trim_matches('"');
    let number = |text: &str| text.trim().trim_end_matches('u').parse::<i64>();
    if let Some((one, by)) = bare.split_once("<<") {
        return (number(one).unwrap() << number(by).unwrap()).to_string();
    }
    number(bare).map(|value| value.to_string()).unwrap_or_else(|_| bare.into())
}

/// The Rust spelling of a C type, without spaces.
fn rust_type(c: &str) -> String {
    let c = c.trim();
    if let Some((result, rest)) = c.split_once("(*)(") {
        let arguments: Vec<String> = rest.trim_end_matches(')').split(", ").map(rust_type).collect();
        let result = if result.trim() == "void" { String::new() } else { format!("->{}", rust_type(result)) };
        return format!("Option<unsafeextern\"C\"fn({}){result}>", arguments.join(","));
    }
    if let Some((element, count)) = c.strip_suffix(']').and_then(|c| c.split_once('[')) {
        return format!("[{};{count}]", rust_type(element));
    }
    let spaced = c.replace('*', " * ");
    let mut words = spaced.split_whitespace().peekable();
    let mut is_const = words.next_if_eq(&"const").is_some();
    let mut made = match words.next().unwrap() {
        "uint32_t" => "u32",
        "int32_t" => "i32",
        "int64_t" => "i64",
        "uint8_t" => "u8",
        "size_t" => "usize",
        "double" => "f64",
        "char" => "c_char",
        "void" => "c_void",
        other => other,
    }
    .to_string();
    while words.next().is_some() {
        made = format!("*{}{made}", if is_const { "const" } else { "mut" });
        is_const = words.next_if_eq(&"const").is_some();
    }
    made
}

/// Without spaces, and with the one alias spelled out.
fn plain(rust: &str) -> String {
    let text: String = rust.split_whitespace().collect();
    if text == "th_handler" {
        return rust_type("th_status (*)(void *, void *, th_call *)");
    }
    text.replace(",)", ")")
}

#[test]
fn structs_are_those_of_plugin_h() {
    let golden = read_golden();
    let mut wrong = Vec::new();
    for layout in raw::layouts() {
        let name = layout.name;
        let (size, fields) = match golden.structs.get(name) {
            Some(found) => found,
            None => {
                wrong.push(format!("{name} is bound, but plugin.h has no such struct"));
                continue;
            }
        };
        let bound: BTreeMap<&str, _> =
            layout.fields.iter().map(|field| (field.0.trim_end_matches('_'), (field.1, field.2, field.3))).collect();
        for (field, expected) in fields {
            if name == "th_value" && field.starts_with("u.") {
                continue; // held below
            }
            match bound.get(field.as_str()) {
                None => wrong.push(format!("{name}.{field} is new in plugin.h: append it to {name} in src/raw.rs")),
                Some((offset, size, kind)) => {
                    if (*offset, *size) != (expected.offset, expected.size) {
                        wrong.push(format!(
                            "{name}.{field} lies at {offset} with {size} bytes; plugin.h has {} and {}",
                            expected.offset, expected.size
                        ));
                    }
                    if plain(kind) != expected.kind {
                        wrong.push(format!("{name}.{field} is {}; plugin.h has {}", plain(kind), expected.kind));
                    }
                }
            }
        }
        for field in bound.keys().filter(|field| !(name == "th_value" && **field == "u")) {
            if !fields.iter().any(|(known, _)| known == field) {
                wrong.push(format!("{name}.{field} is bound, but plugin.h has no such field"));
            }
        }
        if layout.size != *size {
            wrong.push(format!("{name} has {} bytes; plugin.h has {size}", layout.size));
        }
    }
    assert!(wrong.is_empty(), "src/raw.rs is not what plugin.h is:\n{}", wrong.join("\n"));

    let bound: Vec<&str> = raw::layouts().iter().map(|layout| layout.name).collect();
    let unbound: Vec<_> = golden.structs.keys().filter(|name| !bound.contains(&name.as_str())).collect();
    if !unbound.is_empty() {
        println!("not bound yet, which plugins in Rust cannot use: {unbound:?}");
    }
}

#[test]
fn a_value_is_its_union() {
    let golden = read_golden();
    let value = raw::layouts().into_iter().find(|layout| layout.name == "th_value").unwrap();
    let union = value.fields.iter().find(|field| field.0 == "u").unwrap();
    let members: Vec<_> = golden.structs["th_value"].1.iter().filter(|(name, _)| name.starts_with("u.")).collect();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|(_, member)| member.offset == union.1 && member.size <= union.2));
    assert_eq!((union.2, align_of::<raw::th_value_union>()), (size_of::<raw::th_str>(), 8));
}

#[test]
fn constants_are_those_of_plugin_h() {
    let golden = read_golden();
    let mut wrong = Vec::new();
    for (name, value) in raw::constants() {
        match golden.constants.get(name) {
            None => wrong.push(format!("{name} is bound, but plugin.h has no such constant")),
            Some(expected) if *expected != value => wrong.push(format!("{name} is {value}; plugin.h has {expected}")),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "src/raw.rs is not what plugin.h is:\n{}", wrong.join("\n"));

    let bound: Vec<&str> = raw::constants().iter().map(|constant| constant.0).collect();
    let unbound: Vec<_> = golden.constants.keys().filter(|name| !bound.contains(&name.as_str())).collect();
    if !unbound.is_empty() {
        println!("not bound yet: {unbound:?}");
    }
}
