//! The policies of the configuration: what users may do who have them, themselves or by their groups.
//!
//! A policy is a table: `allow` and `deny` with actions such as `dcs:instance:get*`, and `document`, a policy as the cloud has
//! it: JSON with `Version` 1.1 and `Statement`s of `Effect`, `Action`, `Resource` (`DCS:region:domain:instance:id`) and
//! `Condition`. What is denied is denied, whatever else allows it, and what nothing allows is denied as well. Policies that
//! the service defines itself are there already.
//!
//! Invariant: what is not understood of a document is refused when the program starts, with the place and the reason; nothing
//! of it is left out. Deliberately not here: condition keys of other services, and of what this cloud does not know, such as a
//! second factor.

use std::collections::BTreeMap;

use cloud::policy::{Condition, Effect, Key, Likeness, Resource, Statement, is_pattern};
use jiff::Timestamp;
use serde_json::{Map, Value};
use toml::Table;

use crate::users::{entries, text, texts};

/// Policies as the configuration has them, by their names.
pub(crate) type Policies = BTreeMap<String, Policy>;

/// What may be done and what may not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    allow: Vec<String>,
    deny: Vec<String>,
    document: Option<String>,
}

/// A policy that every account has.
struct SystemPolicy {
    name: &'static str,
    allow: &'static [&'static str],
    deny: &'static [&'static str],
}

/// Those of the service (its "Service Overview", Permissions). The second one denies what it leaves out, whatever else allows it.
const SYSTEM_POLICIES: [SystemPolicy; 3] = [
    SystemPolicy { name: "DCS FullAccess", allow: &["dcs:*:*"], deny: &[] },
    SystemPolicy {
        name: "DCS UserAccess",
        allow: &["dcs:*:*"],
        deny: &["dcs:instance:create", "dcs:instance:modify", "dcs:instance:delete", "dcs:instance:scale"],
    },
    SystemPolicy { name: "DCS ReadOnlyAccess", allow: &["dcs:*:get*", "dcs:*:list*"], deny: &[] },
];

/// The keys of conditions on texts.
const KEYS: [(&str, Key); 7] = [
    ("g:UserId", Key::UserId),
    ("g:UserName", Key::UserName),
    ("g:DomainId", Key::DomainId),
    ("g:DomainName", Key::DomainName),
    ("g:ProjectId", Key::ProjectId),
    ("g:ProjectName", Key::ProjectName),
    ("g:ServiceName", Key::ServiceName),
];

/// The key of conditions on the time.
const TIME: &str = "g:CurrentTime";

/// How texts are compared, and whether the outcome is turned round.
const COMPARISONS: [(&str, Likeness, bool); 6] = [
    ("StringEquals", Likeness::Same, false),
    ("StringNotEquals", Likeness::Same, true),
    ("StringEqualsIgnoreCase", Likeness::IgnoringCase, false),
    ("StringNotEqualsIgnoreCase", Likeness::IgnoringCase, true),
    ("StringLike", Likeness::Pattern, false),
    ("StringNotLike", Likeness::Pattern, true),
];

/// The times that fit a comparison with this one, in ms.
type Times = fn(u64) -> std::ops::Range<u64>;

/// How times are compared.
const DATES: [(&str, Times); 4] = [
    ("DateLessThan", |at_ms| 0..at_ms),
    ("DateLessThanEquals", |at_ms| 0..at_ms.saturating_add(1)),
    ("DateGreaterThan", |at_ms| at_ms.saturating_add(1)..u64::MAX),
    ("DateGreaterThanEquals", |at_ms| at_ms..u64::MAX),
];

/// Reads a table of policies.
pub(crate) fn policies(text: &str) -> Option<Policies> {
    let policy = |mut table: Table| {
        let policy = Policy::taken_from(&mut table)?;
        table.is_empty().then_some(policy)
    };
    entries(text)?.into_iter().map(|(name, table)| Some((name, policy(table)?))).collect()
}

/// What the policies of these names say.
///
/// # Errors
/// Which there is not, or is not understood, and why, in a sentence that `whose` begins.
pub(crate) fn statements(
    names: &[String],
    policies: &Policies,
    whose: &str,
) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    for wanted in names {
        let system = SYSTEM_POLICIES.iter().find(|policy| policy.name == wanted);
        match (policies.get(wanted), system) {
            (Some(policy), _) => statements.extend(policy.statements(&format!("policies.{wanted}"))?),
            (None, Some(policy)) => {
                let statement = |effect, actions: &[&str]| {
                    Statement::of(effect, actions.iter().map(|action| (*action).to_owned()).collect())
                };
                statements.push(statement(Effect::Allow, policy.allow));
                statements.push(statement(Effect::Deny, policy.deny));
            }
            (None, None) => {
                return Err(format!(
                    "{whose} has the policy {wanted:?}, which there is not; describe it in policies"
                ));
            }
        }
    }
    Ok(statements)
}

impl Policy {
    /// The policy in a table, which does not have it afterwards.
    pub(crate) fn taken_from(table: &mut Table) -> Option<Policy> {
        let (allow, deny) = (texts(table, "allow")?, texts(table, "deny")?);
        let policy = Policy { allow, deny, document: text(table, "document")? };
        policy.allow.iter().chain(&policy.deny).all(|action| is_action(action)).then_some(policy)
    }

    /// What it says.
    ///
    /// # Errors
    /// What is not understood, in a sentence that `whose` begins.
    pub(crate) fn statements(&self, whose: &str) -> Result<Vec<Statement>, String> {
        let mut statements = vec![
            Statement::of(Effect::Allow, self.allow.clone()),
            Statement::of(Effect::Deny, self.deny.clone()),
        ];
        if let Some(text) = &self.document {
            let read = document(text).map_err(|reason| format!("{whose}.document: {reason}"))?;
            statements.extend(read);
        }
        Ok(statements)
    }
}

/// The statements of a policy as the cloud has it.
fn document(text: &str) -> Result<Vec<Statement>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let whole = value.as_object().ok_or("it is no JSON object")?;
    known(whole, &["Version", "Statement"])?;
    if whole.get("Version").and_then(Value::as_str) != Some("1.1") {
        return Err("Version is \"1.1\"".to_owned());
    }
    let all = whole.get("Statement").and_then(Value::as_array).filter(|all| !all.is_empty());
    let all = all.ok_or("Statement is an array that is not empty")?;
    let numbered = all.iter().enumerate();
    let read = |(number, value)| statement(value).map_err(|reason| format!("Statement[{number}]: {reason}"));
    numbered.map(read).collect()
}

fn statement(value: &Value) -> Result<Statement, String> {
    let fields = value.as_object().ok_or("it is no object")?;
    known(fields, &["Effect", "Action", "Resource", "Condition"])?;
    let effect = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("Effect is Allow or Deny".to_owned()),
    };
    let actions = strings(fields.get("Action")).filter(|actions| !actions.is_empty());
    let actions = actions.ok_or("Action is an array of texts that is not empty")?;
    if let Some(bad) = actions.iter().find(|action| !is_action(action)) {
        return Err(format!(
            "{bad:?} is no action: it is a service, a resource and a deed, such as dcs:instance:get"
        ));
    }
    let resources = match fields.get("Resource") {
        None => Vec::new(),
        Some(given) => strings(Some(given)).ok_or("Resource is an array of texts")?,
    };
    let resource = |text: &String| {
        let read = text.parse::<Resource>();
        read.map_err(|()| format!("{text:?} is no resource: it is one such as DCS:*:*:instance:*"))
    };
    let resources = resources.iter().map(resource).collect::<Result<Vec<_>, _>>()?;
    let conditions = match fields.get("Condition") {
        None => Vec::new(),
        Some(given) => conditions(given)?,
    };
    Ok(Statement { effect, actions, resources, conditions })
}

fn conditions(value: &Value) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for (operator, keys) in value.as_object().ok_or("Condition is an object")? {
        for (key, values) in keys.as_object().ok_or_else(|| format!("{operator} has an object of keys"))? {
            let values = strings(Some(values)).filter(|values| !values.is_empty());
            let values = values.ok_or_else(|| format!("{key} has an array of texts"))?;
            conditions.push(condition(operator, key, values)?);
        }
    }
    Ok(conditions)
}

fn condition(operator: &str, key: &str, values: Vec<String>) -> Result<Condition, String> {
    let comparison = COMPARISONS.iter().find(|(name, ..)| *name == operator);
    let date = DATES.iter().find(|(name, _)| *name == operator);
    let known = KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    match (comparison, date, known) {
        (Some((_, like, is_negated)), _, Some((_, key))) => {
            Ok(Condition::Text { key: *key, like: *like, is_negated: *is_negated, values })
        }
        (_, Some((_, between)), _) if key.eq_ignore_ascii_case(TIME) => {
            let [value] = &values[..] else { return Err(format!("{operator} has one time")) };
            let at = value.parse::<Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
            let at_ms = at.ok_or_else(|| format!("{value:?} is no time such as 2026-11-22T06:14:52Z"))?;
            Ok(Condition::Time(between(at_ms)))
        }
        (None, None, _) => {
            let names = COMPARISONS.iter().map(|(name, ..)| *name).chain(DATES.iter().map(|(name, _)| *name));
            let names: Vec<_> = names.collect();
            Err(format!("there is no operator {operator}; there are {}", names.join(", ")))
        }
        _ => {
            let names = KEYS.iter().map(|(name, _)| *name).chain([TIME]).collect::<Vec<_>>().join(", ");
            Err(format!(
                "{operator} does not go with the key {key}; there are {names}, and dates go with the last"
            ))
        }
    }
}

/// Sees that an object has no fields but these.
fn known(fields: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("there is no field {name}; there are {}", names.join(", "))),
        None => Ok(()),
    }
}

/// The texts of an array; nothing if it is none, or of something else.
fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Whether a text is an action: a service, a resource and what is done with it, each of which may end in `*`.
fn is_action(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    parts.len() == 3 && parts.into_iter().all(is_pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_what_it_says_in_the_cloud() {
        let read = document(
            r#"{"Version": "1.1", "Statement": [
                {"Effect": "Allow", "Action": ["dcs:instance:get*", "dcs:instance:list"]},
                {"Effect": "Deny", "Action": ["dcs:*:*"],
                 "Resource": ["DCS:*:*:instance:54602a9d-5e22-4239-9123-77e350df4a34"],
                 "Condition": {"StringNotEquals": {"g:UserName": ["eve", "bob"]},
                               "DateLessThan": {"g:CurrentTime": ["2026-11-22T06:14:52Z"]}}}
            ]}"#,
        )
        .unwrap();
        assert_eq!((read.len(), read[0].effect, read[1].effect), (2, Effect::Allow, Effect::Deny));
        assert_eq!(read[0].actions, ["dcs:instance:get*", "dcs:instance:list"]);
        let own = "dcs:*:*:instance:54602a9d-5e22-4239-9123-77e350df4a34".parse().unwrap();
        assert_eq!(read[1].resources, [own]);
        let name = Condition::Text {
            key: Key::UserName,
            like: Likeness::Same,
            is_negated: true,
            values: vec!["eve".to_owned(), "bob".to_owned()],
        };
        let time = Condition::Time(0..1_795_328_092_000);
        assert!(read[1].conditions.contains(&name) && read[1].conditions.contains(&time));
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_place() {
        let with = |statement: &str| format!(r#"{{"Version": "1.1", "Statement": [{statement}]}}"#);
        let good = r#""Effect": "Allow", "Action": ["dcs:*:*"]"#;
        for (text, expected) in [
            ("x".to_owned(), "it is no JSON"),
            ("[]".to_owned(), "it is no JSON object"),
            (r#"{"Version": "1.0", "Statement": []}"#.to_owned(), "Version is \"1.1\""),
            (r#"{"Version": "1.1", "Statement": []}"#.to_owned(), "an array that is not empty"),
            (r#"{"Version": "1.1", "Depends": []}"#.to_owned(), "there is no field Depends"),
            (with("1"), "Statement[0]: it is no object"),
            (with(&format!("{{{good}, \"Principal\": \"*\"}}")), "Statement[0]: there is no field Principal"),
            (with(r#"{"Effect": "allow", "Action": ["dcs:*:*"]}"#), "Effect is Allow or Deny"),
            (with(r#"{"Effect": "Allow", "Action": []}"#), "Action is an array"),
            (with(r#"{"Effect": "Allow", "Action": ["dcs:get"]}"#), "\"dcs:get\" is no action"),
            (with(&format!("{{{good}, \"Resource\": {{}}}}")), "Resource is an array"),
            (with(&format!("{{{good}, \"Resource\": [\"OBS:*:*:object:*\"]}}")), "is no resource"),
            (with(&format!("{{{good}, \"Condition\": []}}")), "Condition is an object"),
            (
                with(&format!("{{{good}, \"Condition\": {{\"Bool\": {{\"g:MFAPresent\": [\"true\"]}}}}}}")),
                "no operator Bool",
            ),
            (
                with(&format!("{{{good}, \"Condition\": {{\"StringEquals\": {{\"g:X\": [\"a\"]}}}}}}")),
                "the key g:X",
            ),
            (
                with(&format!("{{{good}, \"Condition\": {{\"StringEquals\": {{\"g:UserName\": \"a\"}}}}}}")),
                "an array of texts",
            ),
            (
                with(&format!(
                    "{{{good}, \"Condition\": {{\"DateLessThan\": {{\"g:UserName\": [\"a\"]}}}}}}"
                )),
                "does not go with the key",
            ),
            (
                with(&format!(
                    "{{{good}, \"Condition\": {{\"DateLessThan\": {{\"g:CurrentTime\": [\"now\"]}}}}}}"
                )),
                "is no time",
            ),
        ] {
            let said = document(&text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }
}
