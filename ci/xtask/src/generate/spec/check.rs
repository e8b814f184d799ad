//! What must hold in the description for anything to be made of it.
//!
//! 1. Names are of one form, and stand once.
//! 2. Whatever is named exists: types, classes, errors, enumerations, languages, options.
//! 3. Defaults are of their kind and within their bounds.
//! 4. A code belongs to one error, and our own do not look like SQLite's.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::{Choice, Default, Function, Kind, Parameter, Spec};

const SCOPES: [&str; 3] = ["connect", "node", "cluster"];
const PROTOCOLS: [&str; 3] = ["context", "iterator", "sequence"];
const BASIC_TYPES: [&str; 10] = [
    "text",
    "integer",
    "bool",
    "duration",
    "path",
    "value",
    "parameters",
    "callback",
    "nothing",
    "options",
];
/// The first code of our own range: SQLite's extended codes have sixteen bits.
const OWN_CODE_MIN: i64 = 1 << 16;

impl Spec {
    /// Checks (1) to (4).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<()> {
        self.check_errors().context("errors.toml")?;
        for option in &self.options.all {
            self.check_option(option).with_context(|| format!("option {}", option.name))?;
        }
        once(self.options.all.iter().map(|option| &*option.name)).context("options.toml")?;
        self.check_interface().context("interface.toml")?;
        self.check_values().context("values.toml")
    }

    fn check_errors(&self) -> Result<()> {
        let errors = &self.errors;
        once(errors.classes.iter().map(|class| &*class.name))?;
        once(errors.entries.iter().map(|entry| &*entry.id))?;
        once(errors.entries.iter().map(|entry| &*entry.name))?;
        once(errors.entries.iter().map(|entry| entry.code))?;
        for class in &errors.classes {
            sentence(&class.doc)?;
            if let Some(parent) = &class.parent {
                ensure!(self.has_class(parent), "{}: no class {parent}", class.name);
            }
        }
        for entry in &errors.entries {
            let id = &entry.id;
            sentence(&entry.doc).with_context(|| id.clone())?;
            ensure!(id.split('.').all(is_snake), "{id} is no id");
            ensure!(self.has_class(&entry.class), "{id}: no class {}", entry.class);
            let leaf = errors.children(Some("DatabaseError")).any(|c| c.name == entry.class)
                || errors.children(Some("OperationalError")).any(|c| c.name == entry.class)
                || entry.class == "InterfaceError";
            ensure!(leaf, "{id}: {} is a base only", entry.class);
            ensure!(self.has_word("Retryable", &entry.retryable), "{id}: {}", entry.retryable);
            ensure!(self.has_word("Outcome", &entry.outcome), "{id}: {}", entry.outcome);
            let known = entry.outcome != "unknown" || entry.retryable == "no";
            ensure!(known, "{id}: what may have been applied cannot be retried");
            let own = entry.name.starts_with("DQLITE_") && entry.code > 1005;
            ensure!(own == (entry.code >= OWN_CODE_MIN), "{id}: {} is no such code", entry.code);
        }
        Ok(())
    }

    fn check_option(&self, option: &Choice) -> Result<()> {
        ensure!(is_snake(&option.name), "not a name");
        sentence(&option.doc)?;
        ensure!(!option.scopes.is_empty(), "no scope");
        for scope in &option.scopes {
            ensure!(SCOPES.contains(&scope.as_str()), "no scope {scope}");
        }
        let answered = option.default.is_some() || option.without.is_some() || option.required;
        ensure!(answered, "what happens without it?");
        let numeric = matches!(option.kind, Kind::Integer | Kind::Duration);
        ensure!(numeric || option.min.or(option.max).is_none(), "bounds of what is no number");
        ensure!(option.kind != Kind::Duration || option.unit.is_some(), "a duration of what?");
        ensure!((option.kind == Kind::Choice) == option.choices.is_some(), "choices of what?");
        for default in option.default.iter().chain(option.default_in.values()) {
            self.check_default(option, default)?;
        }
        let languages = option.languages.iter().chain(option.default_in.keys());
        self.check_languages(languages)
    }

    fn check_default(&self, option: &Choice, default: &Default) -> Result<()> {
        let good = match (option.kind, default) {
            (Kind::Bool, Default::Bool(_)) => true,
            (Kind::Integer | Kind::Duration, Default::Integer(number)) => {
                option.min.is_none_or(|min| min <= *number)
                    && option.max.is_none_or(|max| *number <= max)
            }
            (Kind::Choice, Default::Text(word)) => {
                option.choices.as_ref().is_some_and(|set| self.has_word(set, word))
            }
            (Kind::Text | Kind::Path, Default::Text(_)) => true,
            _ => false,
        };
        ensure!(good, "{default:?} is no default");
        Ok(())
    }

    fn check_interface(&self) -> Result<()> {
        let interface = &self.interface;
        once(interface.types.iter().map(|found| &*found.name))?;
        once(interface.enumerations.iter().map(|found| &*found.name))?;
        for function in &interface.functions {
            self.check_function(function)?;
        }
        for set in &interface.enumerations {
            self.check_languages(&set.absent_in).with_context(|| set.name.clone())?;
        }
        for found in &interface.types {
            let name = &found.name;
            sentence(&found.doc).with_context(|| name.clone())?;
            ensure!(found.error == self.has_class(name), "{name}: is it an error?");
            ensure!(!found.record || found.methods.is_empty(), "{name}: a record has no methods");
            let unknown = found.protocols.iter().find(|it| !PROTOCOLS.contains(&it.as_str()));
            ensure!(unknown.is_none(), "{name}: {unknown:?}");
            let methods = found.methods.iter().map(|method| &*method.name);
            once(methods.chain(found.properties.iter().map(|property| &*property.name)))
                .with_context(|| name.clone())?;
            for method in &found.methods {
                self.check_function(method).with_context(|| name.clone())?;
            }
            for property in &found.properties {
                self.check_type(&property.kind).with_context(|| name.clone())?;
                sentence(&property.doc).with_context(|| format!("{name}.{}", property.name))?;
            }
            if let Some(constructor) = &found.constructor {
                self.check_parameters(&constructor.parameters, constructor.options.as_deref())?;
            }
            self.check_languages(found.absent_in.iter())?;
        }
        for addition in &interface.additions {
            self.check_languages([&addition.language])?;
            let of = &addition.of;
            let known = of == "module" || interface.types.iter().any(|found| found.name == *of);
            ensure!(known, "an addition to {of}, which is not there");
        }
        let names = self.names();
        for (language, naming) in &interface.naming {
            for word in naming.words.keys() {
                ensure!(
                    names.contains(word.as_str()),
                    "{language} spells {word}, which is no name"
                );
            }
        }
        Ok(())
    }

    fn check_function(&self, function: &Function) -> Result<()> {
        let name = &function.name;
        ensure!(is_snake(name), "{name} is no name");
        sentence(&function.doc).with_context(|| name.clone())?;
        self.check_parameters(&function.parameters, function.options.as_deref())
            .with_context(|| name.clone())?;
        self.check_type(&function.result).with_context(|| name.clone())?;
        for option in &function.options_but {
            let known = self.options.all.iter().any(|found| found.name == *option);
            ensure!(known, "{name}: no option {option}");
        }
        for error in &function.errors {
            let known =
                self.has_class(error) || self.errors.entries.iter().any(|entry| entry.id == *error);
            ensure!(known, "{name}: no error {error}");
        }
        self.check_languages(function.absent_in.iter().chain(&function.waits_not_in))
    }

    fn check_parameters(&self, parameters: &[Parameter], options: Option<&str>) -> Result<()> {
        once(parameters.iter().map(|parameter| &*parameter.name))?;
        let mut may_be_left_out = false;
        for parameter in parameters {
            let name = &parameter.name;
            ensure!(is_snake(name), "{name} is no name");
            self.check_type(&parameter.kind).with_context(|| name.clone())?;
            ensure!(parameter.is_optional() >= may_be_left_out, "{name} must be given: first");
            may_be_left_out = parameter.is_optional();
            if let (Some(Default::Text(word)), Some(set)) =
                (&parameter.default, self.enumeration(&parameter.kind))
            {
                ensure!(self.has_word(&set.name, word), "{name}: {word} is no {}", set.name);
            }
        }
        ensure!(options.is_none_or(|scope| SCOPES.contains(&scope)), "no scope {options:?}");
        Ok(())
    }

    fn check_type(&self, text: &str) -> Result<()> {
        for outer in ["list<", "optional<"] {
            if let Some(inner) = text.strip_prefix(outer).and_then(|it| it.strip_suffix('>')) {
                return self.check_type(inner);
            }
        }
        let known = BASIC_TYPES.contains(&text)
            || self.enumeration(text).is_some()
            || self.interface.types.iter().any(|found| found.name == text);
        ensure!(known, "no type {text}");
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        self.check_languages(&self.values.languages)?;
        let languages: BTreeSet<&String> = self.values.languages.iter().collect();
        let values = self.values.all.iter();
        let rows =
            values.flat_map(|value| [(&value.sqlite, &value.reads), (&value.sqlite, &value.binds)]);
        let conversions = self.values.conversions.iter().map(|it| (&it.declared, &it.reads));
        for (name, row) in rows.chain(conversions) {
            ensure!(row.keys().collect::<BTreeSet<_>>() == languages, "{name}: one of each");
        }
        Ok(())
    }

    fn check_languages<'a>(&self, languages: impl IntoIterator<Item = &'a String>) -> Result<()> {
        for language in languages {
            ensure!(self.interface.naming.contains_key(language), "no language {language}");
        }
        Ok(())
    }

    /// Every name of a function, a method or a property.
    fn names(&self) -> BTreeSet<&str> {
        let interface = &self.interface;
        let methods = interface.types.iter().flat_map(|found| &found.methods);
        let properties = interface.types.iter().flat_map(|found| &found.properties);
        let functions = interface.functions.iter().chain(methods).map(|it| &*it.name);
        functions.chain(properties.map(|it| &*it.name)).collect()
    }

    fn has_class(&self, name: &str) -> bool {
        self.errors.classes.iter().any(|class| class.name == name)
    }

    fn has_word(&self, set: &str, word: &str) -> bool {
        self.enumeration(set).is_some_and(|set| set.values.iter().any(|it| it.name == word))
    }
}

fn is_snake(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    begins && name.chars().all(is_part)
}

fn sentence(text: &str) -> Result<()> {
    ensure!(text.ends_with('.') && !text.contains('\n'), "not one line of sentences: {text}");
    Ok(())
}

fn once<T: Ord + std::fmt::Display + Copy>(names: impl Iterator<Item = T>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!("{name} stands there twice");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(break_it: impl FnOnce(&mut Spec)) -> String {
        let mut spec = Spec::read().unwrap();
        break_it(&mut spec);
        format!("{:#}", spec.check().unwrap_err())
    }

    #[test]
    fn what_contradicts_itself_is_found() {
        let twice = broken(|spec| {
            let entry = spec.errors.entries[0].clone();
            spec.errors.entries.push(entry);
        });
        assert!(twice.contains("twice"), "{twice}");
        let class = broken(|spec| spec.errors.entries[0].class = "Nothing".to_owned());
        assert!(class.contains("no class Nothing"), "{class}");
        let base = broken(|spec| spec.errors.entries[0].class = "DatabaseError".to_owned());
        assert!(base.contains("is a base only"), "{base}");
        let retry = broken(|spec| {
            spec.errors.entries[0].retryable = "yes".to_owned();
            spec.errors.entries[0].outcome = "unknown".to_owned();
        });
        assert!(retry.contains("cannot be retried"), "{retry}");
    }

    #[test]
    fn a_default_out_of_bounds_is_found() {
        let bounds = broken(|spec| {
            let option = spec.options.all.iter_mut().find(|it| it.name == "heartbeat").unwrap();
            option.default = Some(Default::Integer(0));
        });
        assert!(bounds.contains("option heartbeat"), "{bounds}");
        let choice = broken(|spec| {
            let option = spec.options.all.iter_mut().find(|it| it.name == "consistency").unwrap();
            option.default = Some(Default::Text("perhaps".to_owned()));
        });
        assert!(choice.contains("is no default"), "{choice}");
    }

    #[test]
    fn names_that_lead_nowhere_are_found() {
        let kind = broken(|spec| spec.interface.functions[0].result = "list<Thing>".to_owned());
        assert!(kind.contains("no type Thing"), "{kind}");
        let error = broken(|spec| spec.interface.functions[0].errors.push("no.such".to_owned()));
        assert!(error.contains("no error no.such"), "{error}");
        let word = broken(|spec| {
            let python = spec.interface.naming.get_mut("python").unwrap();
            python.words.insert("fetch_none".to_owned(), "fetchnone".to_owned());
        });
        assert!(word.contains("fetch_none"), "{word}");
    }
}
