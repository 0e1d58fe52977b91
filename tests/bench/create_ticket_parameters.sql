-- What pgbench gives the statement of create_ticket in place of the parameters that the plugin binds: the same columns filled, as long,
-- with an id and a title key of their own for each ticket.
\set number random(0, 16777215)
\set title_key random(0, 9000000000000000000)
-- $1 = upper(lpad(to_hex(:number::integer), 6, '0'))
-- $2 = 'Printer 12345678 shows error 50.4'
-- $3 = 'It printed yesterday. Since this morning: paper jam, error 50.4.'
-- $4 = 'normal'
-- $5 = null
-- $6 = '{}'
-- $7 = null
-- $8 = 'ada@example.com'
-- $9 = null
-- $10 = 'bench'
-- $11 = 'hdsk_AbCdEf'
-- $12 = :title_key
-- $13 = 'UTC'
