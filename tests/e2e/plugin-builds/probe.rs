//! The plugin of tests/fixtures/abi-1.0/probe.c by the Rust crate: the same tools, which answer the same.
use toolhost_plugin::{Call, Error, Level, Plugin, Tool, Value};

const NOTES: &str = "create table notes (tenant_id integer not null default toolhost.tenant_id(), id uuid not null, \
     title text not null, flag boolean, count bigint, ratio double precision, raw bytea, doc jsonb, at timestamptz, \
     nothing text, primary key (tenant_id, id), unique (tenant_id, title)); \
     create view probe_titles as select title from notes";

fn give_back(call: &Call) -> Result<(), Error> {
    call.text(call.str("/text")?)?;
    call.json(|out| {
        out.str("text", call.str("/text")?)?;
        out.i64("count", call.i64("/count")?)?;
        out.f64("ratio", call.f64("/ratio")?)?;
        out.bool("flag", call.bool("/flag")?)?;
        out.array("list", |list| {
            for i in 0..call.size("/list")? {
                list.str(call.str(&format!("/list/{i}"))?)?;
            }
            Ok(())
        })?;
        out.bool("more", call.has("/more"))
    })
}

fn write(call: &Call) -> Result<(), Error> {
    let values = [
        Value::Uuid(call.host().new_uuid()),
        call.str("/title")?.into(),
        true.into(),
        (1i64 << 40).into(),
        0.25.into(),
        Value::Bytes(b"raw \x01".to_vec()),
        Value::Json(r#"{"a": 1}"#.into()),
        Value::Time(1_700_000_000_123_456),
        Value::Null,
    ];
    let savepoint = call.savepoint()?;
    let affected = call.exec(
        "insert into notes (id, title, flag, count, ratio, raw, doc, at, nothing) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &values,
    );
    let affected = match affected {
        Ok(affected) => affected,
        Err(error) if error.sqlstate() == Some("23505") => {
            savepoint.rollback()?;
            return Err(Error::conflict("There is a note of that title."));
        }
        Err(error) => return Err(error),
    };
    savepoint.release()?;
    call.json(|out| out.i64("affected", affected))
}

fn read(call: &Call) -> Result<(), Error> {
    let rows = call.query("select title, flag, count, ratio, raw, doc, at, nothing from notes order by title", &[])?;
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    call.json(|out| {
        out.array("notes", |notes| {
            for row in &rows {
                notes.object(|note| {
                    note.str("title", row.str(0)?)?;
                    note.bool("flag", row.bool(1)?)?;
                    note.i64("count", row.i64(2)?)?;
                    note.f64("ratio", row.f64(3)?)?;
                    match row.value(4)? {
                        Value::Bytes(raw) => note.str("raw", &String::from_utf8_lossy(raw))?,
                        _ => return Err(Error::internal("raw is not bytea")),
                    }
                    note.str("doc", row.str(5)?)?;
                    note.i64("at", row.time_us(6)?)?;
                    note.bool("empty", row.is_null(7)?)
                })?;
            }
            Ok(())
        })
    })
}

fn settings(call: &Call) -> Result<(), Error> {
    call.json(|out| {
        out.str("greeting", &call.config_str("/greeting")?.unwrap_or_else(|| "(none)".into()))?;
        out.i64("retries", call.config_i64("/retries")?.unwrap_or(-1))
    })
}

fn carry(call: &Call) -> Result<(), Error> {
    call.json(|out| match call.opt_str("/token")? {
        None => out.str("token", &call.seal(b"page 7")?),
        Some(token) => match call.open(token) {
            Ok(data) => out.str("data", &String::from_utf8_lossy(&data)),
            Err(_) => out.str("data", "(refused)"),
        },
    })
}

fn find_people(call: &Call) -> Result<(), Error> {
    let found = call.people(call.str("/text")?)?;
    call.json(|out| {
        out.array("people", |people| {
            for person in &found {
                people.object(|member| {
                    member.str("email", &person.email)?;
                    member.str("name", &person.name)?;
                    member.str("role", &person.role)
                })?;
            }
            Ok(())
        })
    })
}

fn read_views(call: &Call) -> Result<(), Error> {
    let views = call.host().readable_views()?;
    call.json(|out| {
        out.array("views", |list| {
            for view in &views {
                let count = match call.query(&format!("select count(*) from {}", view.sql_name), &[])?.next_row()? {
                    Some(row) => row.i64(0)?,
                    None => return Err(Error::internal("count(*) gave no row")),
                };
                list.object(|one| {
                    one.str("plugin", &view.plugin)?;
                    one.i64("titles", count)
                })?;
            }
            Ok(())
        })
    })
}

fn who(call: &Call) -> Result<(), Error> {
    let info = call.info()?;
    call.json(|out| {
        out.str("tenant", &info.tenant)?;
        out.str("principal", &info.principal)?;
        out.str("role", &info.role)?;
        out.bool("has_request_id", !info.request_id.is_empty())?;
        out.bool("is_cancelled", call.cancelled())?;
        out.i64("attempt", info.attempt.into())
    })
}

fn refuse(call: &Call) -> Result<(), Error> {
    call.log(Level::Warn, "refused on purpose", &[]);
    Err(Error::not_found("There is nothing here."))
}

fn one_text(name: &str) -> String {
    format!(
        r#"{{"type":"object","properties":{{"{name}":{{"type":"string"}}}},"required":["{name}"],"additionalProperties":false}}"#
    )
}

fn define(plugin: &mut Plugin) {
    let tool = |name: &str, handler: fn(&Call) -> Result<(), Error>| {
        Tool::new(name, handler).description("Tests a service of the ABI.")
    };
    plugin
        .vendor("Toolhost")
        .config_schema(
            r#"{"type":"object","properties":{"greeting":{"type":"string"},"retries":{"type":"integer"}},"additionalProperties":false}"#,
        )
        .migration("notes", NOTES)
        .exports("probe_titles")
        .reads("*.probe_titles")
        .reads("?absent.things")
        .tool(tool("rust_args", give_back).read_only().non_blocking().input_schema(
            r#"{"type":"object","properties":{"text":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},"flag":{"type":"boolean"},"list":{"type":"array","items":{"type":"string"}},"more":{"type":"string"}},"required":["text","count","ratio","flag","list"],"additionalProperties":false}"#,
        ))
        .tool(tool("rust_write", write).input_schema(&one_text("title")))
        .tool(tool("rust_read", read).read_only())
        .tool(tool("rust_settings", settings).read_only())
        .tool(tool("rust_token", carry).read_only().input_schema(
            r#"{"type":"object","properties":{"token":{"type":"string"}},"additionalProperties":false}"#,
        ))
        .tool(tool("rust_people", find_people).read_only().input_schema(&one_text("text")))
        .tool(tool("rust_views", read_views).read_only())
        .tool(tool("rust_who", who).read_only())
        .tool(tool("rust_refuse", refuse).read_only());
}

toolhost_plugin::plugin! { id: "rust", name: "Probe", version: "1.0.0", define: define }
