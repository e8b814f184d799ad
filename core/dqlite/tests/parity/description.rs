//! What `core/spec` says of Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

const LANGUAGE: &str = "rust";

pub struct Description {
    interface: Table,
    options: Table,
    errors: Table,
}

/// A type, as Rust has it.
pub struct Described {
    pub name: String,
    /// It only has fields, so it may be another crate's.
    pub is_data: bool,
    /// The blocking face has one of its own.
    pub is_twofold: bool,
    /// Methods and fields that it must have.
    pub required: BTreeSet<String>,
    /// Those that it may have on top.
    pub allowed: BTreeSet<String>,
}

impl Description {
    pub fn read() -> Self {
        let file = |name: &str| -> Table {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec").join(name);
            std::fs::read_to_string(path).unwrap().parse().unwrap()
        };
        Self {
            interface: file("interface.toml"),
            options: file("options.toml"),
            errors: file("errors.toml"),
        }
    }

    /// Every public name of the crate's root.
    pub fn exports(&self) -> BTreeSet<String> {
        let named = |kind: &str, is_error: bool| -> Vec<&Value> {
            let all = items(&self.interface, kind).iter();
            all.filter(|it| !is_absent(it) && flag(it, "error") == is_error).collect()
        };
        let mut names: BTreeSet<String> =
            named("function", false).into_iter().map(|it| text(it, "name").to_owned()).collect();
        for found in [named("type", false), named("enumeration", false)].concat() {
            names.insert(self.type_name(text(found, "name")));
        }
        names.insert("Error".to_owned());
        names.extend(self.additions("module"));
        names
    }

    pub fn types(&self) -> Vec<Described> {
        let mut described: Vec<Described> = Vec::new();
        for found in items(&self.interface, "type") {
            // Rust has one type for all errors.
            let name = if flag(found, "error") { "Error" } else { text(found, "name") };
            let (required, writable) = self.members(found);
            let mut allowed = self.additions(name);
            allowed.extend(writable.iter().map(|name| format!("set_{name}")));
            if found.get("constructor").is_some() {
                allowed.insert("new".to_owned());
            }
            if let Some(known) = described.iter_mut().find(|it| it.name == name) {
                known.required.extend(required);
                continue;
            }
            let methods = items(found.as_table().unwrap(), "method");
            let is_twofold = name != "Error" && methods.iter().any(|it| flag(it, "waits"));
            described.push(Described {
                name: self.type_name(name),
                is_data: methods.is_empty() && name != "Error",
                is_twofold,
                required,
                allowed,
            });
        }
        described
    }

    /// Methods and properties, and those that can be set.
    fn members(&self, found: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
        let found = found.as_table().unwrap();
        let methods = items(found, "method").iter().filter(|it| !is_absent(it));
        let properties = items(found, "property").iter();
        let spelled = |it: &Value| self.spelled(text(it, "name"));
        let writable = properties.clone().filter(|it| flag(it, "writable")).map(spelled).collect();
        (methods.chain(properties).map(spelled).collect(), writable)
    }

    pub fn error_ids(&self) -> BTreeSet<String> {
        items(&self.errors, "error").iter().map(|it| text(it, "id").to_owned()).collect()
    }

    /// The error classes and their parents.
    pub fn classes(&self) -> BTreeMap<String, Option<String>> {
        let parent = |it: &Value| it.get("parent").and_then(Value::as_str).map(str::to_owned);
        let classes = items(&self.errors, "class").iter();
        classes.map(|it| (text(it, "name").to_owned(), parent(it))).collect()
    }

    pub fn option_names(&self) -> BTreeSet<String> {
        let is_here = |it: &&Value| {
            let languages = it.get("languages").and_then(Value::as_array);
            languages.is_none_or(|all| all.iter().any(|it| it.as_str() == Some(LANGUAGE)))
        };
        let options = items(&self.options, "option").iter().filter(is_here);
        options.map(|it| text(it, "name").to_owned()).collect()
    }

    fn additions(&self, of: &str) -> BTreeSet<String> {
        let additions = items(&self.interface, "addition").iter();
        let here = additions.filter(|it| text(it, "language") == LANGUAGE && text(it, "of") == of);
        let names = here.flat_map(|it| it["names"].as_array().unwrap());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    fn spelled(&self, name: &str) -> String {
        self.word("words", name)
    }

    fn type_name(&self, name: &str) -> String {
        self.word("types", name)
    }

    fn word(&self, kind: &str, name: &str) -> String {
        let naming = &self.interface["naming"][LANGUAGE];
        let own = naming.get(kind).and_then(|words| words.get(name)).and_then(Value::as_str);
        own.unwrap_or(name).to_owned()
    }
}

fn items<'a>(table: &'a Table, kind: &str) -> &'a [Value] {
    table.get(kind).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn is_absent(value: &Value) -> bool {
    let languages = value.get("absent_in").and_then(Value::as_array);
    languages.is_some_and(|all| all.iter().any(|it| it.as_str() == Some(LANGUAGE)))
}
