//! What the crate's source makes public.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::{Fields, ImplItem, Item, Type, UseTree, Visibility};

/// One face of the crate.
#[derive(Default)]
pub struct Surface {
    /// Names in its root module.
    pub exports: BTreeSet<String>,
    /// Public methods and fields, by type.
    pub members: BTreeMap<String, BTreeSet<String>>,
}

impl Surface {
    /// The crate's root.
    pub fn asynchronous() -> Self {
        let files = sources(&src()).into_iter().filter(|path| !is_blocking(path));
        Self::of(&src().join("lib.rs"), files)
    }

    /// The module `blocking`.
    pub fn blocking() -> Self {
        let files = sources(&src()).into_iter().filter(|path| is_blocking(path));
        Self::of(&src().join("blocking.rs"), files)
    }

    fn of(root: &Path, files: impl Iterator<Item = PathBuf>) -> Self {
        let mut surface = Self::default();
        for item in parsed(root) {
            surface.export(&item);
        }
        for path in files {
            for item in parsed(&path) {
                surface.note(&item);
            }
        }
        surface
    }

    fn export(&mut self, item: &Item) {
        match item {
            Item::Use(found) if is_public(&found.vis) => names(&found.tree, &mut self.exports),
            Item::Mod(found) if is_public(&found.vis) => {
                self.exports.insert(found.ident.to_string());
            }
            Item::Fn(found) if is_public(&found.vis) => {
                self.exports.insert(found.sig.ident.to_string());
            }
            Item::Struct(found) if is_public(&found.vis) => {
                self.exports.insert(found.ident.to_string());
            }
            _ => {}
        }
    }

    fn note(&mut self, item: &Item) {
        match item {
            Item::Struct(found) if is_public(&found.vis) => {
                let members = self.members.entry(found.ident.to_string()).or_default();
                if let Fields::Named(fields) = &found.fields {
                    let public = fields.named.iter().filter(|field| is_public(&field.vis));
                    members
                        .extend(public.filter_map(|field| Some(field.ident.as_ref()?.to_string())));
                }
            }
            Item::Impl(found) if found.trait_.is_none() => {
                let Type::Path(path) = &*found.self_ty else { return };
                let Some(name) = path.path.segments.last() else { return };
                let members = self.members.entry(name.ident.to_string()).or_default();
                for member in &found.items {
                    if let ImplItem::Fn(method) = member
                        && is_public(&method.vis)
                    {
                        members.insert(method.sig.ident.to_string());
                    }
                }
            }
            _ => {}
        }
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn is_blocking(path: &Path) -> bool {
    let inside = path.strip_prefix(src()).unwrap();
    inside.starts_with("blocking") || inside == Path::new("blocking.rs")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

fn parsed(path: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).items
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The names that a `use` makes.
fn names(tree: &UseTree, out: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, out),
        UseTree::Name(name) => {
            out.insert(name.ident.to_string());
        }
        UseTree::Rename(renamed) => {
            out.insert(renamed.rename.to_string());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, out)),
        UseTree::Glob(_) => panic!("what a * exports cannot be read here"),
    }
}
