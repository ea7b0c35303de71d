-- Twelve tables of tenants and one that all share, with what makes a restore hard: two tables without the tenant's
-- column, a circle (tenants, users), tables that refer to themselves, identity and serial numbers, a generated
-- column, jsonb, bytea, uuid, rows too long for a page, unique names within a tenant and across tenants.
CREATE TABLE plans (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tenants (
  id uuid PRIMARY KEY, hostname text NOT NULL UNIQUE, name text NOT NULL, plan_id int NOT NULL, owner_id bigint,
  settings jsonb NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL, email text NOT NULL,
  display_name text NOT NULL, search_name text GENERATED ALWAYS AS (lower(display_name)) STORED,
  avatar bytea, created_at timestamptz NOT NULL, UNIQUE (tenant_id, email)
);
CREATE TABLE groups (id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, name text NOT NULL, UNIQUE (tenant_id, name));
CREATE TABLE memberships (group_id bigint NOT NULL, user_id bigint NOT NULL, since date NOT NULL,
  PRIMARY KEY (group_id, user_id));
CREATE TABLE projects (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, key text NOT NULL, name text NOT NULL, lead_id bigint,
  next_number int NOT NULL, UNIQUE (tenant_id, key)
);
CREATE TABLE issues (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL, project_id bigint NOT NULL,
  number int NOT NULL, parent_id bigint, reporter_id bigint NOT NULL, assignee_id bigint, summary text NOT NULL,
  description text, fields jsonb NOT NULL, created_at timestamptz NOT NULL, UNIQUE (project_id, number)
);
CREATE TABLE comments (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, issue_id bigint NOT NULL, author_id bigint NOT NULL,
  body text NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE pages (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, parent_id bigint, author_id bigint NOT NULL, title text NOT NULL,
  body text NOT NULL
);
CREATE TABLE attachments (
  id bigserial PRIMARY KEY, issue_id bigint NOT NULL, uploader_id bigint NOT NULL, media_id uuid NOT NULL UNIQUE,
  bytes bigint NOT NULL, digest bytea NOT NULL
);
CREATE TABLE permissions (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, group_id bigint NOT NULL, project_id bigint NOT NULL,
  level text NOT NULL
);
CREATE TABLE app_installs (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, app text NOT NULL, config jsonb NOT NULL, UNIQUE (tenant_id, app)
);
CREATE TABLE audit (
  id bigserial PRIMARY KEY, tenant_id uuid NOT NULL, actor_id bigint NOT NULL, at timestamptz NOT NULL,
  what text NOT NULL, detail jsonb NOT NULL
);
