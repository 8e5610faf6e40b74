//! Examples of documents: a documented answer and one that was given, field by field.

use std::cell::Cell;

use serde_json::Value;

/// What is otherwise than the documents have it: lines of an example, a side (`request` or `answer`), a way, a rule, a reason.
///
/// A way has dots between names and numbers of items, `*` for any of them; an example may be `*`, too. Rules:
/// - `is VALUE`: this value, in JSON, takes the place of the documented one;
/// - `gone`: the documented field is not there;
/// - `more`: there is a field that no document has;
/// - `uuid`, `id`, `text`, `integer`, `digits`: a value of this form, since it is another one each time;
/// - `first`: there are more items than the documented ones, which come first;
/// - `each N`: each item is as the documented one of this number, however many there are;
/// - `among NAME`: the item with the same field of this name is as the documented one;
/// - `json`: a text that is JSON, and is compared as such.
pub struct Rules(Vec<Rule>);

struct Rule {
    line: &'static str,
    example: &'static str,
    side: &'static str,
    way: Vec<&'static str>,
    rule: &'static str,
    met: Cell<bool>,
}

/// One comparison of an answer with the documented one.
pub struct Comparison<'a> {
    /// The name of the example.
    pub example: &'a str,
    /// What is otherwise.
    pub rules: &'a Rules,
    /// Whether a field of the answer is in a table or an example of its operation.
    pub is_known: &'a dyn Fn(&str) -> bool,
    /// Whether more than what is documented is to be expected anywhere.
    pub is_part: bool,
    /// Where what does not fit is written down.
    pub wrong: &'a mut Vec<String>,
}

impl Rules {
    /// Reads them from a file whose first line names the columns.
    pub fn read(file: &'static str) -> Self {
        let rules = file.lines().skip(1).map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            let [example, side, way, rule, reason] = cells[..] else { panic!("not five cells: {line}") };
            assert!(!reason.is_empty(), "no reason: {line}");
            Rule { line, example, side, way: way.split('.').collect(), rule, met: Cell::new(false) }
        });
        Rules(rules.collect())
    }

    fn find(&self, example: &str, side: &str, way: &[String]) -> Option<&'static str> {
        let fits = |rule: &&Rule| {
            (rule.example == example || rule.example == "*")
                && rule.side == side
                && rule.way.len() == way.len()
                && rule.way.iter().zip(way).all(|(said, part)| *said == "*" || said == part)
        };
        let rule = self.0.iter().find(fits)?;
        rule.met.set(true);
        Some(rule.rule)
    }

    /// The body of a request, with what takes the place of something.
    pub fn apply(&self, example: &str, mut body: Value) -> Value {
        for rule in self.0.iter().filter(|rule| rule.example == example && rule.side == "request") {
            rule.met.set(true);
            let (last, before) = rule.way.split_last().unwrap();
            let mut at = &mut body;
            for part in before {
                at = at.get_mut(*part).unwrap_or_else(|| panic!("no such field: {}", rule.line));
            }
            match rule.rule.strip_prefix("is ") {
                Some(value) => at[*last] = serde_json::from_str(value).unwrap(),
                None => assert!(at.as_object_mut().unwrap().remove(*last).is_some(), "{}", rule.line),
            }
        }
        body
    }

    /// The lines that no example needed.
    pub fn not_met(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|rule| !rule.met.get()).map(|rule| format!("not needed: {}", rule.line))
    }
}

impl Comparison<'_> {
    /// Compares what is documented at a place with what was answered there.
    pub fn compare(&mut self, way: &mut Vec<String>, documented: Option<&Value>, answered: Option<&Value>) {
        let rule = self.rules.find(self.example, "answer", way);
        if let Some(rule) = rule {
            self.by_rule(rule, way, documented, answered);
            return;
        }
        match (documented, answered) {
            (Some(Value::Object(fields)), Some(Value::Object(has))) => {
                let more = has.keys().filter(|name| !fields.contains_key(*name));
                for name in fields.keys().chain(more) {
                    self.below(way, name, fields.get(name), has.get(name));
                }
            }
            (Some(Value::Array(items)), Some(Value::Array(has))) => {
                let count = if self.is_part { items.len() } else { items.len().max(has.len()) };
                for at in 0..count {
                    self.below(way, &at.to_string(), items.get(at), has.get(at));
                }
            }
            (Some(documented), Some(answered)) if documented == answered => {}
            (None, Some(_)) if self.is_part || (self.is_known)(&as_in_tables(way)) => {}
            _ => self.note(way, "is", documented, answered),
        }
    }

    fn below(
        &mut self,
        way: &mut Vec<String>,
        name: &str,
        documented: Option<&Value>,
        answered: Option<&Value>,
    ) {
        way.push(name.to_owned());
        self.compare(way, documented, answered);
        way.pop();
    }

    fn by_rule(
        &mut self,
        rule: &str,
        way: &mut Vec<String>,
        documented: Option<&Value>,
        answered: Option<&Value>,
    ) {
        let (name, argument) = rule.split_once(' ').unwrap_or((rule, ""));
        let text = answered.and_then(Value::as_str).unwrap_or_default();
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let fits = match name {
            "is" => answered == Some(&serde_json::from_str(argument).unwrap()),
            "gone" => documented.is_some() && answered.is_none(),
            "more" => documented.is_none() && answered.is_some(),
            "uuid" => text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]),
            "id" => text.len() == 32 && is_hex(text),
            "text" => !text.is_empty(),
            "integer" => answered.is_some_and(Value::is_u64),
            "digits" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
            "first" => {
                let (documented, answered) = (items(documented), items(answered));
                for (at, documented) in documented.iter().enumerate() {
                    self.below(way, &at.to_string(), Some(documented), answered.get(at));
                }
                documented.len() < answered.len()
            }
            "each" => {
                let number: usize = argument.parse().unwrap();
                let (documented, answered) = (items(documented), items(answered));
                for item in &answered {
                    self.below(way, argument, documented.get(number), Some(item));
                }
                !answered.is_empty()
            }
            "among" => {
                let (documented, answered) = (items(documented), items(answered));
                for (at, documented) in documented.iter().enumerate() {
                    let same = answered.iter().find(|item| item[argument] == documented[argument]);
                    self.below(way, &at.to_string(), Some(documented), same);
                }
                true
            }
            "json" => {
                let parsed = |value: Option<&Value>| serde_json::from_str::<Value>(value?.as_str()?).ok();
                let (documented, answered) = (parsed(documented), parsed(answered));
                for (at, documented) in items(documented.as_ref()).iter().enumerate() {
                    self.below(way, &at.to_string(), Some(documented), items(answered.as_ref()).get(at));
                }
                items(answered.as_ref()).len() == items(documented.as_ref()).len()
            }
            other => panic!("no such rule: {other}"),
        };
        if !fits {
            self.note(way, rule, documented, answered);
        }
    }

    fn note(&mut self, way: &[String], rule: &str, documented: Option<&Value>, answered: Option<&Value>) {
        let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        self.wrong.push(format!(
            "{}\tanswer\t{}\t{rule} {}\t(documented: {})",
            self.example,
            way.join("."),
            shown(answered),
            shown(documented)
        ));
    }
}

/// A value of an example with what stands in it under these names put in their places: ids, above all.
pub fn renamed(value: Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => match names.iter().find(|(documented, _)| *documented == text) {
            Some((_, here)) => here.clone().into(),
            None => text.into(),
        },
        Value::Array(items) => items.into_iter().map(|item| renamed(item, names)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, renamed(value, names))).collect()
        }
        other => other,
    }
}

/// Adds the ways to all fields of a value as tables have them: names with dots between them, and `[]` after that of a list.
pub fn ways_of(value: &Value, before: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let way = format!("{before}{name}");
                let list = if value.is_array() { "[]" } else { "" };
                ways_of(value, &format!("{way}{list}."), all);
                all.push(way);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| ways_of(item, before, all)),
        _ => {}
    }
}

/// A way as tables have it: `[]` in the places of numbers.
fn as_in_tables(way: &[String]) -> String {
    let mut said = String::new();
    for part in way {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            said.push_str("[]");
        } else {
            let dot = if said.is_empty() { "" } else { "." };
            said.push_str(dot);
            said.push_str(part);
        }
    }
    said
}
