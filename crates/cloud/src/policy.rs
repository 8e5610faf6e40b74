//! What users may do: the statements of policies, and what they say of a request.
//!
//! Invariants:
//! - What no statement allows is denied, and what one denies is denied whatever else allows it.
//! - A request that is about several instances may be made if it may be made for each of them; one that is about no
//!   instance is none of a statement that is about some.
//!
//! Deliberately not here: how policies are written down, and who has which. The configuration says so.

use std::str::FromStr;

use crate::identity::{Caller, Named};

/// What a user may do.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// What the policies say, in no order.
    pub statements: Vec<Statement>,
    /// Whether the user may change nothing, whatever the policies say.
    pub read_only: bool,
}

/// One statement of a policy.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// What it does.
    pub effect: Effect,
    /// Actions such as `dcs:instance:get`; each part may be `*`, or end in it.
    pub actions: Vec<String>,
    /// What it is about; everything if it names nothing.
    pub resources: Vec<Resource>,
    /// When it holds: all of them must be met.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Allows its actions.
    #[default]
    Allow,
    /// Denies them, whatever else allows them.
    Deny,
}

/// Instances that a statement is about, as `DCS:region:domain:instance:id` has them ("DCS Resources" of the service's user
/// guide). Each part may be `*`, or end in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    service: String,
    region: String,
    domain_id: String,
    id: String,
}

/// Something that must be so when a request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A text is one of several, or none of them.
    Text {
        /// Which text.
        key: Key,
        /// How it is compared.
        like: Likeness,
        /// Whether it must be none of them.
        is_negated: bool,
        /// With what it is compared.
        values: Vec<String>,
    },
    /// The time, in ms: not before the first, and before the second.
    Time(std::ops::Range<u64>),
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The id of the user.
    UserId,
    /// The name of the user.
    UserName,
    /// The id of the account.
    DomainId,
    /// The name of the account.
    DomainName,
    /// The id of the project that the request is for.
    ProjectId,
    /// The name of the project.
    ProjectName,
    /// The service, such as `dcs`.
    ServiceName,
}

/// How a text is compared with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It is the same.
    Same,
    /// It is the same but for capital letters.
    IgnoringCase,
    /// It fits a pattern in which `*` stands for anything.
    Pattern,
}

/// Whether an action may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed,
    /// No policy allows it, or one denies it.
    Denied,
    /// It changes something and the user may only read.
    ReadOnly,
}

/// A request, as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who makes it.
    pub caller: &'a Caller,
    /// What is to be done.
    pub action: &'a str,
    /// Whether that changes anything.
    pub changes: bool,
    /// The ids of the instances that it is about.
    pub instances: &'a [String],
    /// The cloud's time, in ms.
    pub now_ms: u64,
}

impl Rights {
    /// All of them.
    pub fn everything() -> Self {
        let all = Statement { actions: vec!["*:*:*".to_owned()], ..Statement::default() };
        Rights { statements: vec![all], read_only: false }
    }

    /// Whether they differ between instances.
    pub fn are_scoped(&self) -> bool {
        self.statements.iter().any(|statement| !statement.resources.is_empty())
    }

    /// Whether a request may be made.
    pub fn decide(&self, asked: &Asked<'_>) -> Decision {
        if self.read_only && asked.changes {
            return Decision::ReadOnly;
        }
        let may = |instance: Option<&str>| {
            let says = |effect| {
                let mut own = self.statements.iter().filter(|statement| statement.effect == effect);
                own.any(|statement| statement.is_about(asked, instance))
            };
            says(Effect::Allow) && !says(Effect::Deny)
        };
        let is_allowed = match asked.instances {
            [] => may(None),
            instances => instances.iter().all(|id| may(Some(id))),
        };
        if is_allowed { Decision::Allowed } else { Decision::Denied }
    }
}

impl Statement {
    /// A statement about these actions, whatever they are done with.
    pub fn of(effect: Effect, actions: Vec<String>) -> Self {
        Statement { effect, actions, ..Statement::default() }
    }

    fn is_about(&self, asked: &Asked<'_>, instance: Option<&str>) -> bool {
        self.actions.iter().any(|pattern| parts_cover(pattern, asked.action))
            && (self.resources.is_empty()
                || self.resources.iter().any(|resource| resource.covers(asked, instance)))
            && self.conditions.iter().all(|condition| condition.is_met(asked))
    }
}

impl FromStr for Resource {
    type Err = ();

    /// Reads `service:region:domain:instance:id`, or `*` for everything.
    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<_> = if text == "*" { vec!["*"; 5] } else { text.split(':').collect() };
        let [service, region, domain_id, kind, id] = parts[..] else { return Err(()) };
        let fits = [service, region, domain_id, id].into_iter().all(is_pattern);
        if !fits || !matches!(kind, "instance" | "*") {
            return Err(());
        }
        let [region, domain_id, id] = [region, domain_id, id].map(str::to_owned);
        Ok(Resource { service: service.to_ascii_lowercase(), region, domain_id, id })
    }
}

impl Resource {
    fn covers(&self, asked: &Asked<'_>, instance: Option<&str>) -> bool {
        let account = &asked.caller.user.account;
        covers(&self.service, service(asked.action))
            && covers(&self.region, &account.region)
            && covers(&self.domain_id, &account.domain.id)
            && instance.map_or(self.id == "*", |id| covers(&self.id, id))
    }
}

impl Condition {
    fn is_met(&self, asked: &Asked<'_>) -> bool {
        match self {
            Condition::Time(between) => between.contains(&asked.now_ms),
            Condition::Text { key, like, is_negated, values } => {
                let text = key.of(asked);
                let is_one = values.iter().any(|value| text.is_some_and(|text| like.fits(value, text)));
                is_one != *is_negated
            }
        }
    }
}

impl Key {
    /// What it is in a request; nothing where the credentials are for no project.
    fn of<'a>(self, asked: &Asked<'a>) -> Option<&'a str> {
        let user = &asked.caller.user;
        let project = asked.caller.project.as_ref();
        let id = |named: &'a Named| Some(named.id.as_str());
        let name = |named: &'a Named| Some(named.name.as_str());
        match self {
            Key::UserId => id(&user.named),
            Key::UserName => name(&user.named),
            Key::DomainId => id(&user.account.domain),
            Key::DomainName => name(&user.account.domain),
            Key::ProjectId => project.and_then(id),
            Key::ProjectName => project.and_then(name),
            Key::ServiceName => Some(service(asked.action)),
        }
    }
}

impl Likeness {
    fn fits(self, value: &str, text: &str) -> bool {
        match self {
            Likeness::Same => value == text,
            Likeness::IgnoringCase => value.to_lowercase() == text.to_lowercase(),
            Likeness::Pattern => fits_stars(value, text),
        }
    }
}

/// The service that an action is of.
fn service(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

/// Whether a text is a pattern: a name, `*`, or the beginning of a name and `*`.
pub fn is_pattern(text: &str) -> bool {
    !text.is_empty() && !text.strip_suffix('*').unwrap_or(text).contains('*')
}

/// Whether a pattern covers a text.
fn covers(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

/// Whether each part of a pattern covers that of a text.
fn parts_cover(pattern: &str, text: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.split(':').collect(), text.split(':').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| covers(pattern, part))
}

/// Whether a text fits a pattern with stars anywhere.
fn fits_stars(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::{AccessKey, Directory, Secret};

    fn caller() -> Caller {
        let key = AccessKey { id: "k".to_owned(), secret: Secret::new("s") };
        let project = Named { id: "p1".to_owned(), name: "project".to_owned() };
        let directory =
            Directory::with_administrator("acme", "here", project.clone(), "eve", Secret::new("s"), key);
        Caller { user: Arc::clone(&directory.users[0]), project: Some(project) }
    }

    fn decide(rights: &Rights, action: &str, changes: bool, instances: &[&str]) -> Decision {
        let instances: Vec<String> = instances.iter().map(|id| (*id).to_owned()).collect();
        let caller = caller();
        rights.decide(&Asked { caller: &caller, action, changes, instances: &instances, now_ms: 1_000 })
    }

    fn rights(statements: &[(Effect, &str)]) -> Rights {
        let statement =
            |(effect, action): &(Effect, &str)| Statement::of(*effect, vec![(*action).to_owned()]);
        Rights { statements: statements.iter().map(statement).collect(), read_only: false }
    }

    #[test]
    fn policies_allow_and_deny() {
        use Effect::{Allow, Deny};
        let cases: [(&[(Effect, &str)], Decision); 8] = [
            (&[], Decision::Denied),
            (&[(Allow, "*:*:*")], Decision::Allowed),
            (&[(Allow, "dcs:instance:get")], Decision::Allowed),
            (&[(Allow, "dcs:instance:get*")], Decision::Allowed),
            (&[(Allow, "dcs:instance:list")], Decision::Denied),
            (&[(Allow, "dcs:*")], Decision::Denied),
            (&[(Allow, "dcs:*:*"), (Deny, "dcs:instance:*")], Decision::Denied),
            (&[(Allow, "dcs:*:*"), (Deny, "dcs:instance:list")], Decision::Allowed),
        ];
        for (statements, expected) in cases {
            let decided = decide(&rights(statements), "dcs:instance:get", false, &[]);
            assert_eq!(decided, expected, "{statements:?}");
        }
    }

    #[test]
    fn a_reader_changes_nothing() {
        let reader = Rights { read_only: true, ..Rights::everything() };
        assert_eq!(decide(&reader, "dcs:instance:get", false, &[]), Decision::Allowed);
        assert_eq!(decide(&reader, "dcs:instance:create", true, &[]), Decision::ReadOnly);
    }

    #[test]
    fn a_statement_may_be_about_some_instances() {
        let about = |effect, resources: &[&str]| Statement {
            effect,
            actions: vec!["dcs:*:*".to_owned()],
            resources: resources.iter().map(|resource| resource.parse().unwrap()).collect(),
            conditions: Vec::new(),
        };
        let of = |statements: &[Statement], instances: &[&str]| {
            let rights = Rights { statements: statements.to_vec(), read_only: false };
            decide(&rights, "dcs:instance:get", false, instances) == Decision::Allowed
        };
        let some = [about(Effect::Allow, &["DCS:*:*:instance:a", "dcs:here:*:instance:b*"])];
        assert!(of(&some, &["a"]) && of(&some, &["b1", "a"]));
        assert!(!of(&some, &["c"]) && !of(&some, &["a", "c"]) && !of(&some, &[]));
        let elsewhere = [about(Effect::Allow, &["DCS:there:*:instance:*", "CRS:*:*:instance:*"])];
        assert!(!of(&elsewhere, &["a"]) && !of(&elsewhere, &[]));
        let all = [about(Effect::Allow, &["DCS:*:*:instance:*"])];
        assert!(of(&all, &["a"]) && of(&all, &[]));
        let but_one = [about(Effect::Allow, &[]), about(Effect::Deny, &["DCS:*:*:instance:a"])];
        assert!(of(&but_one, &["b"]) && of(&but_one, &[]) && !of(&but_one, &["b", "a"]));
        for bad in
            ["", "DCS", "DCS:*:*:backup:*", "DCS:*:*:instance:", "DCS:*:*:instance:a*b", "a:b:c:instance:d:e"]
        {
            assert_eq!(bad.parse::<Resource>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn a_statement_holds_while_its_conditions_are_met() {
        let text = |key, like, is_negated, values: &[&str]| Condition::Text {
            key,
            like,
            is_negated,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let cases = [
            (text(Key::UserName, Likeness::Same, false, &["bob", "eve"]), true),
            (text(Key::UserName, Likeness::Same, false, &["Eve"]), false),
            (text(Key::UserName, Likeness::IgnoringCase, false, &["EVE"]), true),
            (text(Key::UserName, Likeness::Same, true, &["bob", "eve"]), false),
            (text(Key::UserName, Likeness::Same, true, &["bob"]), true),
            (text(Key::ProjectName, Likeness::Pattern, false, &["pro*"]), true),
            (text(Key::ProjectName, Likeness::Pattern, false, &["*j*t"]), true),
            (text(Key::ProjectName, Likeness::Pattern, false, &["*x*", "roject"]), false),
            (text(Key::DomainName, Likeness::Same, false, &["acme"]), true),
            (text(Key::ServiceName, Likeness::Same, false, &["dcs"]), true),
            (Condition::Time(0..1_000), false),
            (Condition::Time(1_000..u64::MAX), true),
        ];
        for (condition, expected) in cases {
            let statement = Statement {
                actions: vec!["*:*:*".to_owned()],
                conditions: vec![condition.clone()],
                ..Statement::default()
            };
            let rights = Rights { statements: vec![statement], read_only: false };
            let decided = decide(&rights, "dcs:instance:get", false, &["a"]);
            assert_eq!(decided == Decision::Allowed, expected, "{condition:?}");
        }
    }
}
