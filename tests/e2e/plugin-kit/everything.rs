//! What the crate offers beside the template's greet and list, for plugin-kit.test.mjs.
use toolhost_plugin::{
    raw, Call, Completing, Error, Level, Metric, Plugin, Prompt, Prompting, Reading, Resource, Tool, Value,
};

/// Every kind of value, as a parameter and back.
fn values(call: &Call) -> Result<(), Error> {
    let sent = vec![
        Value::Null,
        true.into(),
        (-7i64).into(),
        2.5.into(),
        "té🔁xt".into(),
        Value::Bytes(vec![0, 255, 7]),
        Value::Json(r#"{"a": 1}"#.into()),
        Value::Uuid([9; 16]),
        Value::Time(1_700_000_000_000_001),
        Value::Numeric("12345678901234567890.12".into()),
    ];
    let mut rows = call.query(
        "select $1::text, $2::bool, $3::int8, $4::float8, $5::text, $6::bytea, $7::jsonb, $8::uuid, $9::timestamptz,
                $10::numeric",
        &sent,
    )?;
    let row = rows.next_row()?.ok_or_else(|| Error::internal("no row"))?;
    let end = rows.next_row()?;
    call.json(|out| {
        out.bool("same", row.values() == &sent[..])?;
        out.bool("one", end.is_none())?;
        out.str("text", row.str(4)?)
    })
}

/// Arguments of each kind, and what the host knows of the call.
fn arguments(call: &Call) -> Result<(), Error> {
    let info = call.info()?;
    call.log(Level::Info, "arguments were read", &[("role", &info.role)]);
    call.json(|out| {
        out.str("tenant", &info.tenant)?;
        out.i64("count", call.i64("/count")?)?;
        out.f64("ratio", call.f64("/ratio")?)?;
        out.bool("absent", call.opt_str("/nothing")?.is_none())?;
        out.array("tags", |tags| {
            for index in 0..call.size("/tags")? {
                tags.str(call.str(&format!("/tags/{index}"))?)?;
            }
            Ok(())
        })?;
        out.object("deep", |deep| {
            deep.null("nothing")?;
            deep.str("key", call.key("/map", 0)?)
        })
    })
}

/// What a client carries comes back whole, and nothing else is taken.
fn token(call: &Call) -> Result<(), Error> {
    let sealed = call.seal(&[1, 0, 255])?;
    let same = call.open(&sealed)? == [1, 0, 255];
    let refused = call.open("forged").map_err(|error| error.status()) == Err(raw::TH_E_INVALID);
    call.json(|out| {
        out.bool("same", same)?;
        out.bool("refused", refused)?;
        out.str("setting", &call.config_str("/greeting")?.unwrap_or_default())
    })
}

fn wrong_sql(call: &Call) -> Result<(), Error> {
    call.exec("insert into nowhere values (1)", &[])?;
    Ok(())
}

/// A statement that fails, survived by a savepoint; one that is undone because nobody kept it; one that is kept.
fn savepoints(call: &Call) -> Result<(), Error> {
    let insert = |name: &str| call.exec("insert into greetings (name, language) values ($1, 'en')", &[name.into()]);
    let kept = call.savepoint()?;
    insert("kept")?;
    kept.release()?;
    {
        let _dropped = call.savepoint()?;
        insert("dropped")?;
    }
    let failing = call.savepoint()?;
    let status = insert("kept").map_err(|error| error.status());
    failing.rollback()?;
    let names = call.query("select name from greetings", &[])?.map(|row| Ok(row?.str(0)?.to_string()));
    let names = names.collect::<Result<Vec<_>, Error>>()?;
    call.json(|out| {
        out.bool("conflict", status == Err(raw::TH_E_CONFLICT))?;
        out.str("names", &names.join(","))
    })
}

fn others(call: &Call) -> Result<(), Error> {
    let names = |people: Vec<toolhost_plugin::Person>| people.into_iter().map(|person| person.name).collect::<Vec<_>>();
    call.json(|out| {
        out.str("ana", &names(call.people("ana")?).join(","))?;
        out.i64("people", call.people("")?.len() as i64)?;
        out.array("views", |views| {
            for view in call.host().readable_views()? {
                views.str(&format!("{} {}", view.plugin, view.sql_name))?;
            }
            Ok(())
        })
    })
}

static SOLD: Metric = Metric::counter("sold_total", "Things sold.", &["kind"]);
static LEFT: Metric = Metric::gauge("left", "Things left.", &[]);

fn beside(call: &Call) -> Result<(), Error> {
    SOLD.add(call.host(), 2.0, &["book"])?;
    LEFT.set(call.host(), 7.0, &[])?;
    call.host().submit(|host| {
        host.log(Level::Info, "beside the handler", &[]);
        panic!("contained on purpose")
    })?;
    call.host().submit_after(1_000, |_| Err(Error::internal("failed on purpose")))?;
    let denied = call.secret("nothing").map_err(|error| error.status()) == Err(raw::TH_E_DENIED);
    call.json(|out| {
        out.bool("denied", denied)?;
        out.i64("secret", call.secret("token")?.len() as i64)
    })
}

fn content(call: &Call) -> Result<(), Error> {
    call.progress(1.0, 2.0, "half")?;
    call.text("see")?;
    call.image(&[1, 2, 3], "image/png")?;
    call.link("kit:/notes/1", "note")
}

fn ask(call: &Call) -> Result<(), Error> {
    let form = r#"{"message": "Sure?", "requestedSchema": {"type": "object", "required": ["ok"],
                   "properties": {"ok": {"type": "boolean"}}}}"#;
    let answer = call.ask(raw::TH_ASK_FORM, "sure", form)?;
    call.text(&answer)
}

fn read_note(call: &Reading) -> Result<(), Error> {
    match call.variable("id")? {
        "nothing" => Ok(()),
        "bytes" => call.bytes(&[0, 1, 2], "application/octet-stream"),
        id => call.text(&format!("note {id} of {}", call.uri()?), "text/plain"),
    }
}

fn complete(call: &Completing) -> Result<(), Error> {
    let known = call.known("other")?.unwrap_or("-").to_string();
    call.total(2)?;
    call.value(&format!("{}-{}", call.argument()?, call.typed()?))?;
    call.value(&known)
}

fn get_prompt(call: &Prompting) -> Result<(), Error> {
    call.description("with an argument")?;
    call.user(&format!("Tell me about {}.", call.str("/topic")?))?;
    call.assistant("Gladly.")
}

const ANY_OBJECT: &str = r#"{"type": "object"}"#;

fn tool(name: &str, handler: fn(&Call) -> Result<(), Error>) -> Tool {
    Tool::new(name, handler).description("Of the tests.")
}

fn define(plugin: &mut Plugin) {
    plugin
        .vendor("Kit")
        .config_schema(r#"{"type": "object", "properties": {"greeting": {"type": "string"}}}"#)
        .migration("notes", include_str!("../migrations/0001_greetings.sql"))
        .on_create(|host| {
            host.log(Level::Info, "made with", &[("greeting", &host.config_str("/greeting")?.unwrap_or_default())]);
            Ok(())
        })
        .tool(tool("kit_values", values).read_only())
        .tool(tool("kit_arguments", arguments).read_only().input_schema(ANY_OBJECT))
        .tool(tool("kit_token", token).read_only())
        .tool(tool("kit_wrong_sql", wrong_sql))
        .tool(tool("kit_savepoints", savepoints))
        .metric(&SOLD)
        .metric(&LEFT)
        .tool(tool("kit_beside", beside).serial())
        .tool(tool("kit_others", others).read_only())
        .reads("?kit.stock.nothing")
        .reads("*.search_documents")
        .tool(tool("kit_content", content).non_blocking())
        .tool(tool("kit_ask", ask))
        .resource(Resource::template("kit:/notes/{id}", "note", read_note).mime_type("text/plain").completes(complete))
        .resource(Resource::new("kit:/all", "all", |call| call.text("all", "")).title("All"))
        .prompt(
            Prompt::new("kit_about", get_prompt)
                .description("About a topic.")
                .argument("topic", "What about")
                .opt_argument("other", "Not used")
                .completes(complete),
        );
}

toolhost_plugin::plugin! { id: "kit.stock", name: "Everything", version: "0.1.0", define: define }
