/**
 * A real PostgreSQL that the server brings along, for when no `DATABASE_URL` names one.
 *
 * Everybody who uses a data folder holds a shared advisory lock in its server for as long as they use it, and whoever leaves
 * last stops the server. The lock goes with its session, so a killed process leaves nothing behind that must be cleaned up:
 * the next start finds the server still running and goes on with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { closeSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Binaries, command, EmbeddedPostgresError, findBinaries, useDatabaseUrl } from './embedded-binaries.ts';
import { ensureCluster, openLog, openPlace, type Place, password, stopCluster, temporaryPlace } from './embedded-cluster.ts';

export { EmbeddedPostgresError } from './embedded-binaries.ts';
