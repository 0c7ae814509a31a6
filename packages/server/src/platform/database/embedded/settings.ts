/**
 * How the embedded PostgreSQL is set. Given on its command line, so that they follow the hub's version and no file
 * in the data directory weakens them.
 */
export const settings: Readonly<Record<string, string>> = {
  // What was answered as accepted is on the disk (promise 1).
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',

  // Never a network: the bundled TLS library is old.
  listen_addresses: '',
  unix_socket_permissions: '0700',

  max_connections: '100',
  shared_buffers: '128MB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  max_wal_size: '1GB',
  min_wal_size: '128MB',
  wal_compression: 'on',
  max_wal_senders: '0', // no replicas, so the log need not carry what they want
  wal_level: 'minimal',
  checkpoint_timeout: '10min',

  // The narrow tables live from dead rows leaving at once (engine rules 3 and 10).
  autovacuum_naptime: '10s',
  autovacuum_vacuum_scale_factor: '0.05',
  autovacuum_vacuum_cost_delay: '1ms',

  // Statements are short; compiling them never pays.
  jit: 'off',
  max_parallel_workers_per_gather: '0',

  // The log goes to the hub's own, and carries neither statements nor the values in them.
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  lc_messages: 'C',
};
