<?php
$server = 'pgsql:host=' . getenv('PGHOST') . ';port=' . getenv('PGPORT') . ';dbname=' . getenv('PGDATABASE');
$pdo = new PDO($server, getenv('PGUSER'), '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);

function pay(PDO $pdo, int $order): void
{
    // SNIPPET
}

foreach (array_slice($argv, 1) as $argument) {
    try {
        pay($pdo, (int) $argument);
        echo "paid $argument\n";
    } catch (PDOException $error) {
        echo "refused $argument\n";
    }
}
