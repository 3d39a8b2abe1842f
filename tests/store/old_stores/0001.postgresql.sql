--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: failed_logins; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.failed_logins (
    mount character varying(100) NOT NULL,
    username character varying(1024) NOT NULL,
    caller character varying(64) NOT NULL,
    password_mac character varying(64) NOT NULL,
    failed_at double precision NOT NULL
);


--
-- Name: index_generations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.index_generations (
    id bigint NOT NULL,
    backend character varying(100) NOT NULL,
    started_at double precision NOT NULL,
    completed_at double precision
);


--
-- Name: index_generations_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.index_generations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: index_generations_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.index_generations_id_seq OWNED BY public.index_generations.id;


--
-- Name: name_index; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.name_index (
    generation bigint NOT NULL,
    username character varying(1024) NOT NULL,
    entry_id text NOT NULL
);


--
-- Name: name_lists; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.name_lists (
    id bigint NOT NULL,
    mount character varying(100) NOT NULL,
    state character varying(10) NOT NULL,
    first_at double precision NOT NULL,
    last_at double precision NOT NULL,
    name_count integer NOT NULL,
    digest character varying(64) NOT NULL,
    names bytea NOT NULL,
    owners text NOT NULL,
    left_out bytea NOT NULL,
    missing_count integer NOT NULL,
    reason text NOT NULL
);


--
-- Name: name_lists_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.name_lists_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: name_lists_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.name_lists_id_seq OWNED BY public.name_lists.id;


--
-- Name: index_generations id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.index_generations ALTER COLUMN id SET DEFAULT nextval('public.index_generations_id_seq'::regclass);


--
-- Name: name_lists id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_lists ALTER COLUMN id SET DEFAULT nextval('public.name_lists_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0001');


--
-- Data for Name: failed_logins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', '019ff78f4f503e109f5068bea540c834cb4c4cb2b4258b849aebba8e745be85f', 1795963346.034955);
INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', '63bda7de46f1573156c13433a59c000ace301f6b5efec9650da65a94de72a82c', 1795963346.0449266);


--
-- Data for Name: index_generations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.index_generations VALUES (2, 'branch', 1795963346.0489802, 1795963346.0591056);


--
-- Data for Name: name_index; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.name_index VALUES (2, 'b01.1', '1');
INSERT INTO public.name_index VALUES (2, 'b02.2', '2');
INSERT INTO public.name_index VALUES (2, 'b03.3', '3');
INSERT INTO public.name_index VALUES (2, 'b04.4', '4');
INSERT INTO public.name_index VALUES (2, 'b05.5', '5');
INSERT INTO public.name_index VALUES (2, 'b06.6', '6');
INSERT INTO public.name_index VALUES (2, 'b07.7', '7');
INSERT INTO public.name_index VALUES (2, 'b08.8', '8');
INSERT INTO public.name_index VALUES (2, 'b09.9', '9');
INSERT INTO public.name_index VALUES (2, 'b10.10', '10');
INSERT INTO public.name_index VALUES (2, 'b11.11', '11');
INSERT INTO public.name_index VALUES (2, 'b12.12', '12');


--
-- Data for Name: name_lists; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.name_lists VALUES (1, 'archive', 'released', 1795963345.886762, 1795963345.970463, 30, '620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548', '\x78010dca3901c0301003b0423a3b7d81857f3568d39e1c7bcae2e4e2e6e1e53b76062f5ebc78f1e2c58b17af5ebd7af5ead5ab57af5ebd353f0450199f', '[["hq", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (2, 'branch', 'released', 1795963346.0081825, 1795963346.0081825, 30, '32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786', '\x78010dcec111c4201003c18b680a096c201de71fc4cd67f6a5aefd46c8ef1ba57632ed62d987c7bebc76b3ede1d8cbfd7d1964781cbb4e89f34ce23e8b08e4210a79894436d1c82122b944a583aa3454a5fea0d24955baa84a1faad297aa7453951eaad24b55e6608e3f50fe2701', '[["branch", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (3, 'branch', 'held', 1795963346.065996, 1795963346.065996, 12, '76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0', '\x78010dcbb91100200cc4402ad2f80ce669c7fd17c125ab481d42a323493b9976b16c5176b3ede1d8cbb58f375a81c2f1ec5b89f20322e20e77', '[["branch", 12]]', '\x7801030000000001', 18, '18 of 30 names that were listed before are missing');


--
-- Name: index_generations_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.index_generations_id_seq', 2, true);


--
-- Name: name_lists_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.name_lists_id_seq', 3, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: failed_logins pk_failed_logins; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.failed_logins
    ADD CONSTRAINT pk_failed_logins PRIMARY KEY (mount, username, caller, password_mac);


--
-- Name: index_generations pk_index_generations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.index_generations
    ADD CONSTRAINT pk_index_generations PRIMARY KEY (id);


--
-- Name: name_index pk_name_index; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_index
    ADD CONSTRAINT pk_name_index PRIMARY KEY (generation, username);


--
-- Name: name_lists pk_name_lists; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_lists
    ADD CONSTRAINT pk_name_lists PRIMARY KEY (id);


--
-- Name: ix_failed_logins_failed_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_failed_logins_failed_at ON public.failed_logins USING btree (failed_at);


--
-- Name: ix_index_generations_backend; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_index_generations_backend ON public.index_generations USING btree (backend);


--
-- Name: ix_name_lists_mount_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_name_lists_mount_state ON public.name_lists USING btree (mount, state);


--
-- Name: name_index fk_name_index_generation; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_index
    ADD CONSTRAINT fk_name_index_generation FOREIGN KEY (generation) REFERENCES public.index_generations(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


