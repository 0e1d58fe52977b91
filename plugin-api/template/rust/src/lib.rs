use toolhost_plugin::{Call, Error, Plugin, Tool};

const LANGUAGES: &str = r#"{"type": "string", "enum": ["en", "de"]}"#;

/// Greets somebody, and remembers it.
fn greet(call: &Call) -> Result<(), Error> {
    let name = call.str("/name")?;
    if name.trim().is_empty() {
        return Err(Error::invalid("name is blank; whom shall I greet?"));
    }
    let language = call.opt_str("/language")?.unwrap_or("en");
    let inserted = call.exec_last(
        "insert into greetings (name, language) values ($1, $2) on conflict (tenant_id, name) do nothing",
        &[name.into(), language.into()],
    )?;
    let hello = if language == "de" { "Hallo" } else { "Hello" };
    call.json(|out| {
        out.str("greeting", &format!("{hello}, {name}"))?;
        out.bool("first_time", inserted == 1)
    })
}

/// Who was greeted, newest first.
fn list(call: &Call) -> Result<(), Error> {
    let rows = call.query(
        "select name, language from greetings where language = coalesce($1, language)
         order by greeted_at desc, name limit $2",
        &[call.opt_str("/language")?.into(), call.opt_i64("/limit")?.unwrap_or(20).into()],
    )?;
    call.json(|out| {
        out.array("greeted", |list| {
            for row in rows {
                let row = row?;
                list.object(|greeted| {
                    greeted.str("name", row.str(0)?)?;
                    greeted.str("language", row.str(1)?)
                })?;
            }
            Ok(())
        })
    })
}

fn define(plugin: &mut Plugin) {
    plugin
        .migration("greetings", include_str!("../migrations/0001_greetings.sql"))
        .tool(
            Tool::new("example_hello_greet", greet)
                .title("Greet")
                .description("Greets somebody by name and remembers it.")
                .idempotent()
                .input_schema(&format!(
                    r#"{{"type": "object", "additionalProperties": false, "required": ["name"], "properties": {{
                        "name": {{"type": "string", "description": "Whom to greet", "minLength": 1, "maxLength": 100}},
                        "language": {LANGUAGES}}}}}"#
                ))
                .output_schema(
                    r#"{"type": "object", "additionalProperties": false, "required": ["greeting", "first_time"],
                        "properties": {"greeting": {"type": "string"}, "first_time": {"type": "boolean"}}}"#,
                ),
        )
        .tool(
            Tool::new("example_hello_list", list)
                .title("List the greeted")
                .description("Lists who was greeted, newest first.")
                .read_only()
                .idempotent()
                .input_schema(&format!(
                    r#"{{"type": "object", "additionalProperties": false, "properties": {{
                        "language": {LANGUAGES},
                        "limit": {{"type": "integer", "minimum": 1, "maximum": 100, "default": 20}}}}}}"#
                ))
                .output_schema(&format!(
                    r#"{{"type": "object", "additionalProperties": false, "required": ["greeted"], "properties": {{
                        "greeted": {{"type": "array", "items": {{"type": "object", "additionalProperties": false,
                            "required": ["name", "language"],
                            "properties": {{"name": {{"type": "string"}}, "language": {LANGUAGES}}}}}}}}}}}"#
                )),
        );
}

toolhost_plugin::plugin! {
    id: "example.hello",
    name: "Example hello",
    version: "0.1.0",
    define: define,
}
