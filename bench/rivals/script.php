<?php
// What an administrator writes for MailStore on an afternoon: everybody as JSON, and whether a password is right.

$db = new PDO(getenv('PEOPLE_DSN'), getenv('PEOPLE_USER') ?: null, getenv('PEOPLE_PASSWORD') ?: null, [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
    PDO::ATTR_PERSISTENT => true,
]);

function password_is_right(string $password, string $stored): bool
{
    $raw = base64_decode(substr($stored, strlen('{SSHA256}')));
    return hash_equals(substr($raw, 0, 32), hash('sha256', $password . substr($raw, 32), true));
}

header('Content-Type: application/json; charset=utf-8');

switch ($_POST['cmd'] ?? '') {
    case 'list':
        $users = [];
        foreach ($db->query('SELECT username, full_name, email, alias FROM people WHERE active = 1') as $row) {
            $users[] = [
                'userName' => $row['username'],
                'fullName' => $row['full_name'],
                'emailAddresses' => $row['alias'] ? [$row['email'], $row['alias']] : [$row['email']],
            ];
        }
        echo json_encode($users, JSON_UNESCAPED_UNICODE);
        break;
    case 'auth':
        $query = $db->prepare('SELECT password FROM people WHERE username = ? AND active = 1');
        $query->execute([$_POST['user'] ?? '']);
        $stored = $query->fetchColumn();
        echo json_encode(['succeeded' => $stored !== false && password_is_right($_POST['pass'] ?? '', $stored)]);
        break;
    default:
        http_response_code(400);
}
