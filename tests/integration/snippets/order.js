const { Pool } = require('pg');

const pool = new Pool();

async function pay(order) {
  // SNIPPET
}

async function main() {
  for (const argument of process.argv.slice(2)) {
    let end = 'paid';
    await pay(Number(argument)).catch(() => { end = 'refused'; });
    console.log(end, argument);
  }
  await pool.end();
}

main();
