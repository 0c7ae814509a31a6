/**
 * Loaded before a command by `bootstrap.cjs`: when that process is gone, whatever killed it, the command is asked to
 * end as SIGTERM would ask it, so that a hub drains and leaves no database behind.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
