-- Tasks and their history. Every primary key leads with the tenant; the host adds the row-level-security policy.

create type task_status as enum ('open', 'in_progress', 'done', 'cancelled');  -- unfinished: < 'done'
create type task_priority as enum ('low', 'normal', 'high', 'urgent');         -- sorts as declared

create table tasks (
  tenant_id       integer not null default toolhost.tenant_id(),
  ref             text collate "C" not null check (ref ~ '^[0-9A-HJKMNP-TV-Z]{6}$'),  -- Crockford base32, random
  title           text not null check (char_length(title) between 1 and 200),
  description     text not null default '' check (char_length(description) <= 20000),
  status          task_status not null default 'open',
  priority        task_priority not null default 'normal',
  assignee        text check (char_length(assignee) between 1 and 200),
  tags            text[] not null default '{}'
                    check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 1000),
  ticket          text collate "C" check (ticket ~ '^[0-9A-HJKMNP-TV-Z]{6}$'),  -- id of a ticket, of the plugin tickets
  due_date        date check (due_date between '2000-01-01' and '2199-12-31'),  -- a day in the tenant's time zone,
  due_at          timestamptz(0) check (due_at between '1999-12-30' and '2200-01-03'),  -- or a moment
  -- Either as a moment, for the order of lists and for other plugins: the day's end in the time zone that the tenant had
  -- when it was written. What is overdue or due this week is decided by the two columns above.
  due_by          timestamptz not null default 'infinity',
  completed_at    timestamptz,
  completion_note text check (char_length(completion_note) between 1 and 20000),
  created_at      timestamptz not null default now(),
  created_by      text not null,                      -- principal
  created_via     text not null,                      -- key prefix
  updated_at      timestamptz not null default now(),
  deleted         boolean not null default false,     -- found by no tool any more; search has to hear of it
  version         integer not null default 1,         -- grows by one with every change; one history step each
  changed         bigint not null default pg_current_xact_id()::text::bigint,  -- the transaction that wrote last
  primary key (tenant_id, ref),
  check (num_nonnulls(due_date, due_at) <= 1),
  check ((due_by = 'infinity') = (num_nonnulls(due_date, due_at) = 0)),
  check ((status = 'done') = (completed_at is not null)),
  check (status = 'done' or completion_note is null)
);
-- the default of list_tasks; also the small set that its other filters and orders are answered from
create index tasks_unfinished on tasks (tenant_id, due_by, ref) where status < 'done' and not deleted;
-- the orders of list_tasks that page through all tasks
create index tasks_by_update on tasks (tenant_id, updated_at, ref);
create index tasks_by_creation on tasks (tenant_id, created_at, ref);
-- ticket_tasks, and list_tasks of one ticket
create index tasks_by_ticket on tasks (tenant_id, ticket) where ticket is not null and not deleted;
-- search_documents: what changed since
create index tasks_by_change on tasks (tenant_id, changed, ref);

create function note_change() returns trigger language plpgsql as $$
begin
  new.changed := pg_current_xact_id()::text::bigint;
  return new;
end $$;
create trigger note_change before update on tasks for each row execute function note_change();

-- What changed, one row a field; append-only. No foreign key: history outlives its task.
create table task_history (
  tenant_id integer not null default toolhost.tenant_id(),
  task      text collate "C" not null,
  version   integer not null,
  field     text not null,                            -- as in results; or 'created', 'note', 'deleted'
  old_value text,
  new_value text,
  actor     text not null,
  via_key   text not null,
  at        timestamptz not null default now(),
  primary key (tenant_id, task, version, field)
);
create function refuse_change_of_history() returns trigger language plpgsql as $$
begin
  raise exception 'task_history is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on task_history
  for each statement execute function refuse_change_of_history();

-- What a call with an idempotency_key did; kept for 24 hours.
create table request_keys (
  tenant_id    integer not null default toolhost.tenant_id(),
  principal    text not null,
  tool         text not null,
  key          text not null check (char_length(key) between 1 and 64),
  request_hash bytea not null,                        -- SHA-256 of the other arguments
  ref          text collate "C",
  number       integer,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, principal, tool, key)
);
create index request_keys_by_age on request_keys (tenant_id, created_at);  -- finds what is older than 24 hours

-- ---- Time. Each function is given the moment and the zone; none reads a clock.

-- A moment as ISO 8601 in the tenant's own time with its offset: 2026-11-23T14:05:09+01:00.
create function local_time(moment timestamptz, zone text) returns text language sql stable as $$
  select to_char(moment at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS') ||
         case when moment at time zone zone < moment at time zone 'UTC' then '-' else '+' end ||
         to_char(greatest(moment at time zone zone, moment at time zone 'UTC') -
                 least(moment at time zone zone, moment at time zone 'UTC'), 'HH24:MI')
$$;
create function local_day(moment timestamptz, zone text) returns date language sql immutable as $$
  select (moment at time zone zone)::date
$$;
-- The Monday of the day's week.
create function week_start(day date) returns date language sql immutable as $$
  select day - (extract(isodow from day)::integer - 1)
$$;
-- The day on which a task is due; null for never.
create function due_day(due_date date, due_at timestamptz, zone text) returns date language sql immutable as $$
  select coalesce(due_date, (due_at at time zone zone)::date)
$$;
-- What tasks.due_by holds.
create function due_end(due_date date, due_at timestamptz, zone text) returns timestamptz language sql immutable as $$
  select coalesce(due_at, (due_date + time '23:59:59') at time zone zone, 'infinity'::timestamptz)
$$;
-- A day is over when the next one has begun; finished tasks are never overdue.
create function is_overdue(status task_status, due_date date, due_at timestamptz, moment timestamptz, zone text)
  returns boolean language sql immutable as $$
  select status < 'done' and coalesce(due_at < moment, due_date < (moment at time zone zone)::date, false)
$$;

-- ---- What other plugins read

create view search_documents as
  select ref, 'task'::text as kind, title, description as body, tags, completion_note as messages, null::text as notes,
         status::text as status, priority::text as priority, null::text as category, assignee, created_by as requester,
         created_at, updated_at, nullif(due_by, 'infinity') as due_at, deleted, changed
    from tasks;

create view ticket_tasks as
  select ref, ticket, title, status::text as status, priority::text as priority, assignee,
         due_at::timestamptz as due_at, due_date, updated_at
    from tasks
   where ticket is not null and not deleted;
