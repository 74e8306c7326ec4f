//! `embed_migrations!` does not notice a changed SQL file by itself.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
