//! What a name of the description is in a language.

use super::spec::{Case, Naming};

/// How a language spells the name of a function of the module (`owner` is none), or of a method or
/// property of the type `owner`.
pub fn spelled(naming: &Naming, owner: Option<&str>, name: &str) -> String {
    if let Some(word) = naming.words.get(name) {
        return word.clone();
    }
    match (naming.methods, owner) {
        (Case::Prefixed, Some(owner)) => {
            let owner = naming.types.get(owner).map_or(owner, String::as_str);
            format!("dqlite_{}_{name}", snake(owner))
        }
        (Case::Prefixed, None) => format!("dqlite_{name}"),
        (case, _) => in_case(case, name),
    }
}

/// Words with `_` between them, in a case.
pub fn in_case(case: Case, name: &str) -> String {
    match case {
        Case::Snake | Case::Prefixed => name.to_owned(),
        Case::Pascal => name.split('_').map(capital).collect(),
        Case::Camel => {
            let mut words = name.split('_');
            let first = words.next().unwrap_or_default().to_owned();
            first + &words.map(capital).collect::<String>()
        }
    }
}

/// `NodeInfo` as `node_info`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::super::spec::Spec;
    use super::*;

    #[test]
    fn each_language_has_its_own_spelling() {
        let spec = Spec::read().unwrap();
        let spelled = |owner, name| {
            ["python", "node", "go", "kotlin", "rust", "c"]
                .map(|language| spelled(&spec.interface.naming[language], owner, name))
        };
        assert_eq!(
            spelled(Some("Connection"), "execute_many"),
            [
                "executemany",
                "executeMany",
                "ExecuteMany",
                "executeMany",
                "execute_many",
                "dqlite_connection_execute_many"
            ]
        );
        assert_eq!(
            spelled(None, "connect")[2..],
            ["Connect", "connect", "connect", "dqlite_connect"]
        );
        assert_eq!(spelled(Some("NodeInfo"), "id")[5], "dqlite_member_id");
        assert_eq!(spelled(Some("Node"), "start")[5], "dqlite_embedded_start");
    }
}
