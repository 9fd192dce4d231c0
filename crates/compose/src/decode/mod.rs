//! Nodes to the types of [`stack`](crate::stack): every value is parsed here, once, and whatever is wrong with it is noted with
//! its place. What a field may be called is checked before, by [`fields`](crate::fields).

mod build;
mod container;
mod files;
mod network;
mod process;
mod resources;
#[cfg(test)]
mod tests;
mod volt;

use crate::problem::{Problem, Report};
use crate::stack::{Condition, Dependency, Service, Stack, Workload};
use crate::words;
use crate::yaml::{Node, Place, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::str::FromStr;
use volt_model::config::nearest;
use volt_model::name::Name;

/// A node and the way to it: `services.web.ports[0]`.
#[derive(Clone, Debug)]
pub(crate) struct At<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
}

impl<'n> At<'n> {
    /// The value of a key; nothing where it is not there, or empty.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key).filter(|node| !node.is_null())?;
        Some(self.below(key, node))
    }

    /// The same; an empty text is nothing either. Files have `${NAME:-}` where they leave something open.
    pub(crate) fn said(&self, key: &str) -> Option<Self> {
        self.get(key).filter(|at| at.node.as_text() != Some(""))
    }

    fn below(&self, key: &str, node: &'n Node) -> Self {
        let path =
            if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        At { node, path }
    }

    pub(crate) fn items(&self) -> Vec<Self> {
        let item =
            |(index, node): (usize, &'n Node)| At { node, path: format!("{}[{index}]", self.path) };
        self.node.items().iter().enumerate().map(item).collect()
    }

    /// What a mapping of the user's own words has: there `x-` is nothing special.
    pub(crate) fn entries(&self) -> Vec<(&'n str, Self)> {
        let entries = self.node.entries().iter();
        entries.map(|entry| (entry.key.as_str(), self.below(&entry.key, &entry.node))).collect()
    }
}

/// Where things were declared and used, by their path: what checks of the whole stack say where it is.
pub type Places = BTreeMap<String, Place>;

/// What is being decoded.
pub(crate) struct Decoder<'r> {
    pub(crate) report: &'r mut Report,
    pub(crate) places: Places,
}

impl Decoder<'_> {
    pub(crate) fn wrong(&mut self, at: &At<'_>, what: impl Display) {
        self.report.error(Problem::at(&at.node.place, format!("{}: {what}", at.path)));
    }

    pub(crate) fn wrong_hinted(
        &mut self,
        at: &At<'_>,
        what: impl Display,
        hint: impl Into<String>,
    ) {
        let problem = Problem::at(&at.node.place, format!("{}: {what}", at.path));
        self.report.error(problem.hinted(hint));
    }

    pub(crate) fn odd(&mut self, at: &At<'_>, what: impl Display) {
        self.report.warn(Problem::at(&at.node.place, format!("{}: {what}", at.path)));
    }

    /// Remembers where something is, for checks of the whole stack.
    fn note(&mut self, path: String, at: &At<'_>) {
        self.places.insert(path, at.node.place.clone());
    }

    /// The text of a single value.
    pub(crate) fn text(&mut self, at: &At<'_>) -> Option<String> {
        match at.node.as_text() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong(at, format!("a single value belongs here, not {}", at.node.kind()));
                None
            }
        }
    }

    pub(crate) fn text_of(&mut self, parent: &At<'_>, key: &str) -> Option<String> {
        let at = parent.said(key)?;
        self.text(&at)
    }

    /// A value of a type that is parsed from text.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&mut self, at: &At<'_>) -> Option<T> {
        let text = self.text(at)?;
        text.parse().map_err(|error| self.wrong(at, error)).ok()
    }

    pub(crate) fn parse_of<T: FromStr<Err: Display>>(
        &mut self,
        parent: &At<'_>,
        key: &str,
    ) -> Option<T> {
        let at = parent.said(key)?;
        self.parse(&at)
    }

    /// A number, which a text may be too.
    pub(crate) fn number_of<T: FromStr>(&mut self, parent: &At<'_>, key: &str) -> Option<T> {
        let at = parent.said(key)?;
        let text = self.text(&at)?;
        let parsed = text.trim().parse().ok();
        if parsed.is_none() {
            self.wrong(&at, format!("`{text}` is no number that fits here"));
        }
        parsed
    }

    /// A truth value; false where nothing is said.
    pub(crate) fn flag(&mut self, parent: &At<'_>, key: &str) -> bool {
        self.flag_or(parent, key).unwrap_or(false)
    }

    pub(crate) fn flag_or(&mut self, parent: &At<'_>, key: &str) -> Option<bool> {
        let at = parent.said(key)?;
        let text = self.text(&at)?;
        let parsed = words::parse_bool(&text);
        if parsed.is_none() {
            self.wrong(&at, format!("`{text}` is neither true nor false"));
        }
        parsed
    }

    /// A span of time.
    pub(crate) fn span_of(&mut self, parent: &At<'_>, key: &str) -> Option<std::time::Duration> {
        let at = parent.said(key)?;
        let text = self.text(&at)?;
        volt_model::time::parse_span(&text).map_err(|error| self.wrong(&at, error)).ok()
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, at: &At<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(at)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = nearest(&text, words.iter().copied()).map_or_else(
                || format!("Write one of: {}", words.join(", ")),
                |near| format!("Did you mean `{near}`?"),
            );
            self.wrong_hinted(
                at,
                format!("`{text}` is none of the words that may stand here"),
                hint,
            );
        }
        found
    }

    pub(crate) fn choice_of<T: Copy>(
        &mut self,
        parent: &At<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let at = parent.said(key)?;
        self.choice(&at, choices)
    }

    /// A mapping, or an error that says so.
    pub(crate) fn is_map(&mut self, at: &At<'_>) -> bool {
        let is = matches!(at.node.value, Value::Map(_));
        if !is {
            self.wrong(at, format!("a mapping belongs here, not {}", at.node.kind()));
        }
        is
    }

    /// The items of a list, or an error that says so.
    pub(crate) fn list<'n>(&mut self, parent: &At<'n>, key: &str) -> Vec<At<'n>> {
        let Some(at) = parent.get(key) else { return Vec::new() };
        if !matches!(at.node.value, Value::List(_)) {
            self.wrong(&at, format!("a list belongs here, not {}", at.node.kind()));
        }
        at.items()
    }

    /// The items of a list, or the one value in its place.
    pub(crate) fn list_or_one<'n>(&mut self, parent: &At<'n>, key: &str) -> Vec<At<'n>> {
        match parent.get(key) {
            Some(at) if matches!(at.node.value, Value::Scalar(_)) => vec![at],
            _ => self.list(parent, key),
        }
    }

    pub(crate) fn texts(&mut self, parent: &At<'_>, key: &str) -> Vec<String> {
        let items = self.list_or_one(parent, key);
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    pub(crate) fn parse_all<T: FromStr<Err: Display>>(
        &mut self,
        parent: &At<'_>,
        key: &str,
    ) -> Vec<T> {
        let items = self.list_or_one(parent, key);
        items.iter().filter_map(|item| self.parse(item)).collect()
    }

    /// `KEY=VALUE` in a list, or a mapping: the two forms of labels, variables and the like. What stands last wins.
    pub(crate) fn pairs(&mut self, parent: &At<'_>, key: &str) -> BTreeMap<String, String> {
        let Some(at) = parent.get(key) else { return BTreeMap::new() };
        let mut map = BTreeMap::new();
        match &at.node.value {
            Value::Map(_) => {
                for (name, value) in at.entries() {
                    let text =
                        if value.node.is_null() { Some(String::new()) } else { self.text(&value) };
                    map.extend(text.map(|text| (name.to_owned(), text)));
                }
            }
            Value::List(_) => {
                for item in at.items() {
                    if let Some(text) = self.text(&item) {
                        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                        map.insert(name.to_owned(), value.to_owned());
                    }
                }
            }
            _ => self.wrong(
                &at,
                format!("a mapping or a list of KEY=VALUE belongs here, not {}", at.node.kind()),
            ),
        }
        map
    }

    /// Each entry of a mapping of named things; its name is checked, and its place kept.
    fn named<'n>(&mut self, root: &At<'n>, section: &str) -> Vec<(String, At<'n>)> {
        let Some(at) = root.get(section) else { return Vec::new() };
        if !self.is_map(&at) {
            return Vec::new();
        }
        let mut all = Vec::new();
        for entry in at.node.entries() {
            let below = at.below(&entry.key, &entry.node);
            self.places.insert(below.path.clone(), entry.place.clone());
            match check_key(&entry.key) {
                Ok(()) => all.push((entry.key.clone(), below)),
                Err(why) => {
                    self.report.error(Problem::at(&entry.place, format!("{}: {why}", below.path)));
                }
            }
        }
        all
    }
}

/// A key of the file: `[a-zA-Z0-9._-]+` (Compose Specification, the patterns of its schema).
fn check_key(key: &str) -> Result<(), &'static str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if key.is_empty() || key.len() > 128 || !key.bytes().all(good) {
        return Err("a name here is 1 to 128 of a-z, A-Z, 0-9 and . _ -");
    }
    if key.bytes().all(|b| !b.is_ascii_alphanumeric()) {
        return Err("a name here has a letter or a digit in it");
    }
    Ok(())
}

/// The sections that services may stand in.
pub(crate) const SERVICE_SECTIONS: [&str; 4] = ["services", "containers", "vms", "tasks"];

/// Decodes a document. What is wrong is in the report; what comes out is good where that is.
pub fn decode(root: &Node, name: Name, report: &mut Report) -> (Stack, Places) {
    let mut decoder = Decoder { report, places: Places::new() };
    let root = At { node: root, path: String::new() };
    let stack = decoder.stack(&root, name);
    (stack, decoder.places)
}

impl Decoder<'_> {
    fn stack(&mut self, root: &At<'_>, name: Name) -> Stack {
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        for section in SERVICE_SECTIONS {
            for (key, at) in self.named(root, section) {
                let service = self.service(section, &at);
                match (services.entry(key), service) {
                    (Entry::Occupied(known), _) => {
                        let key = known.key();
                        let what = format!(
                            "there is another `{key}`: containers, vms, services and tasks share their names"
                        );
                        self.wrong(&at, what);
                    }
                    (Entry::Vacant(place), Some(service)) => _ = place.insert(service),
                    (Entry::Vacant(_), None) => {}
                }
            }
        }
        let networks =
            self.named(root, "networks").into_iter().map(|(key, at)| (key, self.network(&at)));
        let networks = networks.collect();
        let volumes =
            self.named(root, "volumes").into_iter().map(|(key, at)| (key, self.volume(&at)));
        let volumes = volumes.collect();
        let configs = self.named(root, "configs").into_iter();
        let configs = configs.filter_map(|(key, at)| Some((key, self.asset(&at)?))).collect();
        let secrets = self.named(root, "secrets").into_iter();
        let secrets = secrets.filter_map(|(key, at)| Some((key, self.asset(&at)?))).collect();
        let description = self.text_of(root, "description");
        Stack { name, description, services, networks, volumes, configs, secrets }
    }

    fn service(&mut self, section: &str, at: &At<'_>) -> Option<Service> {
        if !self.is_map(at) {
            return None;
        }
        let has = |key| at.get(key).is_some();
        let workload = match section {
            "vms" => self.vm(at).map(|vm| Workload::Vm(Box::new(vm)))?,
            "tasks" => self.task(at).map(|task| Workload::Task(Box::new(task)))?,
            // An entry with a command and no image is a service of systemd.
            "services" if !has("image") && !has("build") && (has("exec") || has("command")) => {
                Workload::Service(Box::new(self.unit(at)))
            }
            _ => {
                self.nothing_of_units(at);
                Workload::Container(Box::new(self.container(at)))
            }
        };
        let mut service = Service::new(workload);
        service.depends_on = self.depends_on(at);
        service.replicas = self.replicas(at);
        service.profiles = self.texts(at, "profiles");
        service.attach = self.flag_or(at, "attach").unwrap_or(true);
        Some(service)
    }

    /// Both forms of `depends_on`, and what `links` says about the order.
    fn depends_on(&mut self, at: &At<'_>) -> BTreeMap<String, Dependency> {
        let mut all = BTreeMap::new();
        if let Some(list) = at.get("depends_on") {
            match &list.node.value {
                Value::Map(_) => {
                    for (key, below) in list.entries() {
                        self.note(format!("{}.depends_on.{key}", at.path), &below);
                        let condition = self.choice_of(&below, "condition", &Condition::ALL);
                        let dependency = Dependency {
                            condition: condition.unwrap_or_default(),
                            restart: self.flag(&below, "restart"),
                            required: self.flag_or(&below, "required").unwrap_or(true),
                        };
                        all.insert(key.to_owned(), dependency);
                    }
                }
                _ => {
                    for item in self.list(at, "depends_on") {
                        if let Some(key) = self.text(&item) {
                            self.note(format!("{}.depends_on.{key}", at.path), &item);
                            all.insert(key, Dependency::default());
                        }
                    }
                }
            }
        }
        for link in self.list(at, "links") {
            if let Some(text) = self.text(&link) {
                let key = text.split(':').next().unwrap_or_default().to_owned();
                self.note(format!("{}.depends_on.{key}", at.path), &link);
                all.entry(key).or_default();
            }
        }
        all
    }

    fn replicas(&mut self, at: &At<'_>) -> u32 {
        let scale: Option<u32> = self.number_of(at, "scale");
        let deploy = at.get("deploy");
        let replicas = deploy.as_ref().and_then(|deploy| self.number_of(deploy, "replicas"));
        if let (Some(scale), Some(replicas), Some(place)) = (scale, replicas, at.get("scale"))
            && scale != replicas
        {
            self.wrong(&place, format!("{scale} here, {replicas} at deploy.replicas: say it once"));
        }
        let count = scale.or(replicas).unwrap_or(1);
        if count > MAX_REPLICAS {
            self.wrong(at, format!("{count} replicas are more than {MAX_REPLICAS}"));
            return 1;
        }
        count
    }
}

/// The most replicas that a service may have.
const MAX_REPLICAS: u32 = 1000;
