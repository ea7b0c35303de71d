-- Rows of tenants whose sizes are lognormal (half of them below a ninth of the mean), interleaved on every page as
-- years of use leave them. {sites} and {rows} are put in by the caller; the same numbers make the same rows.
SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'; SET synchronous_commit = off;
SELECT setseed(0.42);
INSERT INTO plans SELECT n, 'plan ' || n FROM generate_series(1, 5) AS n;
CREATE TEMP TABLE sized AS
  SELECT row_number() OVER () AS n, md5('tenant ' || g)::uuid AS id,
         exp(1.75 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) AS weight
  FROM generate_series(1, {sites}) AS g;
CREATE TEMP TABLE wanted AS
  SELECT n, id, greatest(30, weight * {rows} / (SELECT sum(weight) FROM sized))::int AS rows FROM sized;
-- How many rows of each table: places in these lists are numbers within a tenant.
CREATE TEMP TABLE u AS SELECT id AS tenant, k, row_number() OVER (ORDER BY hashint4(k + n::int * 7919)) AS gid
  FROM wanted, generate_series(1, greatest(2, (rows * 0.04)::int)) AS k;
CREATE TEMP TABLE g AS SELECT id AS tenant, k, row_number() OVER (ORDER BY hashint4(k + n::int * 7907)) AS gid
  FROM wanted, generate_series(1, greatest(1, (rows * 0.01)::int)) AS k;
CREATE TEMP TABLE p AS SELECT id AS tenant, k, row_number() OVER (ORDER BY hashint4(k + n::int * 7901)) AS gid
  FROM wanted, generate_series(1, greatest(1, (rows * 0.01)::int)) AS k;
CREATE TEMP TABLE i AS SELECT id AS tenant, k, row_number() OVER (ORDER BY hashint4(k + n::int * 7883)) AS gid
  FROM wanted, generate_series(1, greatest(4, (rows * 0.25)::int)) AS k;
CREATE TEMP TABLE counts AS
  SELECT w.id AS tenant, w.n, w.rows, greatest(2, (rows * 0.04)::int) AS us, greatest(1, (rows * 0.01)::int) AS gs,
         greatest(1, (rows * 0.01)::int) AS ps, greatest(4, (rows * 0.25)::int) AS iss FROM wanted w;
CREATE UNIQUE INDEX ON u (tenant, k); CREATE UNIQUE INDEX ON g (tenant, k); CREATE UNIQUE INDEX ON p (tenant, k);
CREATE UNIQUE INDEX ON i (tenant, k); CREATE UNIQUE INDEX ON counts (tenant);
ANALYZE u; ANALYZE g; ANALYZE p; ANALYZE i; ANALYZE counts;
INSERT INTO tenants
  SELECT c.tenant, 'site-' || n || '.example.net', 'Site ' || n, 1 + n % 5, u.gid,
         jsonb_build_object('theme', n % 7, 'locale', 'en', 'tags', jsonb_build_array(n, n + 1)), '2020-01-01'::timestamptz + n * interval '1 hour'
  FROM counts c JOIN u ON u.tenant = c.tenant AND u.k = 1;
INSERT INTO users (id, tenant_id, email, display_name, avatar, created_at) OVERRIDING SYSTEM VALUE
  SELECT gid, tenant, 'user' || k || '@example.net', 'Person Number ' || gid, decode(md5(gid::text), 'hex'),
         '2020-02-01'::timestamptz + gid * interval '1 minute' FROM u ORDER BY gid;
INSERT INTO groups SELECT gid, tenant, 'group ' || k FROM g ORDER BY gid;
INSERT INTO projects SELECT p.gid, p.tenant, 'P' || p.k, 'Project ' || p.gid, u.gid, 1000000
  FROM p JOIN counts c USING (tenant) JOIN u ON u.tenant = p.tenant AND u.k = 1 + p.k % c.us ORDER BY p.gid;
INSERT INTO memberships SELECT DISTINCT g.gid, u.gid, date '2021-01-01' + (u.k % 300)
  FROM u JOIN counts c USING (tenant), LATERAL (VALUES (u.k), (u.k * 7 + 3)) AS pick(k)
  JOIN g ON true WHERE g.tenant = u.tenant AND g.k = 1 + pick.k % c.gs ON CONFLICT DO NOTHING;
INSERT INTO issues (id, tenant_id, project_id, number, parent_id, reporter_id, assignee_id, summary, description, fields,
                    created_at) OVERRIDING SYSTEM VALUE
  SELECT i.gid, i.tenant, p.gid, i.k, parent.gid, r.gid, CASE WHEN i.k % 3 > 0 THEN a.gid END,
         'Something about ' || i.gid || ' that matters to somebody',
         CASE WHEN i.k % 997 = 0 THEN (SELECT string_agg(md5(x::text || i.gid), ' ') FROM generate_series(1, 200) AS x)
              WHEN i.k % 4 = 0 THEN repeat('A longer text that says what is wrong. ', 1 + i.k % 9) END,
         jsonb_build_object('priority', i.k % 5, 'labels', jsonb_build_array('l' || i.k % 11, 'm' || i.k % 13), 'points', i.k % 21),
         '2021-01-01'::timestamptz + i.gid * interval '10 seconds'
  FROM i JOIN counts c USING (tenant) JOIN p ON p.tenant = i.tenant AND p.k = 1 + i.k % c.ps
  JOIN u r ON r.tenant = i.tenant AND r.k = 1 + i.k % c.us JOIN u a ON a.tenant = i.tenant AND a.k = 1 + (i.k * 31) % c.us
  LEFT JOIN i parent ON i.k % 6 = 0 AND parent.tenant = i.tenant AND parent.k = i.k / 2 ORDER BY i.gid;
INSERT INTO comments (tenant_id, issue_id, author_id, body, created_at)
  SELECT c.tenant, i.gid, u.gid, 'Comment ' || x || ' says: ' || repeat(md5(x::text || i.gid), 1 + x % 4),
         '2021-06-01'::timestamptz + x * interval '1 minute'
  FROM counts c, generate_series(1, (c.rows * 0.30)::int) AS x
  JOIN i ON true JOIN u ON true WHERE i.tenant = c.tenant AND i.k = 1 + (x * 17) % c.iss AND u.tenant = c.tenant AND u.k = 1 + x % c.us
  ORDER BY hashint4(x + c.n::int * 7879);
CREATE TEMP TABLE pg AS SELECT id AS tenant, k, row_number() OVER (ORDER BY hashint4(k + n::int * 7873)) AS gid
  FROM wanted, generate_series(1, (rows * 0.08)::int) AS k;
CREATE UNIQUE INDEX ON pg (tenant, k); ANALYZE pg;
INSERT INTO pages SELECT pg.gid, pg.tenant, parent.gid, u.gid, 'Page ' || pg.k,
         repeat('Words of a page ' || pg.gid || '. ', 5 + pg.k % 40)
  FROM pg JOIN counts c USING (tenant) JOIN u ON u.tenant = pg.tenant AND u.k = 1 + pg.k % c.us
  LEFT JOIN pg parent ON pg.k % 3 = 0 AND parent.tenant = pg.tenant AND parent.k = pg.k / 3 ORDER BY pg.gid;
INSERT INTO attachments (issue_id, uploader_id, media_id, bytes, digest)
  SELECT i.gid, u.gid, md5('media ' || i.gid || ' ' || x)::uuid, 1000 + x, decode(md5(x::text) || md5(i.gid::text), 'hex')
  FROM counts c, generate_series(1, (c.rows * 0.06)::int) AS x
  JOIN i ON true JOIN u ON true WHERE i.tenant = c.tenant AND i.k = 1 + x % c.iss AND u.tenant = c.tenant AND u.k = 1 + x % c.us
  ORDER BY hashint4(x + c.n::int * 7867);
INSERT INTO permissions (tenant_id, group_id, project_id, level)
  SELECT c.tenant, g.gid, p.gid, (ARRAY['read', 'write', 'admin'])[1 + x % 3]
  FROM counts c, generate_series(1, greatest(1, (c.rows * 0.04)::int)) AS x JOIN g ON true JOIN p ON true
  WHERE g.tenant = c.tenant AND g.k = 1 + x % c.gs AND p.tenant = c.tenant AND p.k = 1 + x % c.ps ORDER BY hashint4(x + c.n::int * 7853);
INSERT INTO app_installs (tenant_id, app, config)
  SELECT c.tenant, 'app ' || k, jsonb_build_object('enabled', true, 'level', k)
  FROM counts c, generate_series(1, greatest(1, least(40, (c.rows * 0.005)::int))) AS k ORDER BY hashint4(k + c.n::int * 7841);
INSERT INTO audit (tenant_id, actor_id, at, what, detail)
  SELECT c.tenant, u.gid, '2022-01-01'::timestamptz + x * interval '1 second', 'changed',
         jsonb_build_object('field', 'f' || x % 9, 'from', x, 'to', x + 1)
  FROM counts c, generate_series(1, (c.rows * 0.12)::int) AS x JOIN u ON true
  WHERE u.tenant = c.tenant AND u.k = 1 + x % c.us ORDER BY hashint4(x + c.n::int * 7829);
SELECT setval(pg_get_serial_sequence(t, 'id'), m) FROM (
  SELECT 'users', max(id) FROM users UNION ALL SELECT 'groups', max(id) FROM groups UNION ALL
  SELECT 'projects', max(id) FROM projects UNION ALL SELECT 'issues', max(id) FROM issues UNION ALL
  SELECT 'pages', max(id) FROM pages) AS s(t, m);
