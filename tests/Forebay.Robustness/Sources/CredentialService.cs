using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Forebay.Robustness.Sources;

/// <summary>
/// The services that give temporary key pairs, on one loopback port: a container's (<c>/container</c>), an instance's metadata (version 2)
/// and the token service (web identity). Each answer is another pair: <c>TEMP1</c>, <c>TEMP2</c>…
/// </summary>
internal sealed class CredentialService : IAsyncDisposable
{
    private const string MetadataPath = "/latest/meta-data/iam/security-credentials";
    private const string MetadataToken = "metadata-token";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _expiry = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly Task _accepting;
    private int _given;

    public CredentialService()
    {
        _listener.Start();
        Endpoint = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        _accepting = AcceptAsync();
    }

    public string Endpoint { get; }

    /// <summary>How long each pair lives.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Heads and bodies of all requests.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Pairs given so far.</summary>
    public int Given => Volatile.Read(ref _given);

    /// <summary>True when the pair was given here and lives.</summary>
    public bool IsValid(string? accessKeyId) => accessKeyId is not null && _expiry.TryGetValue(accessKeyId, out DateTimeOffset end) && TimeProvider.System.GetUtcNow() < end;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                NetworkStream stream = client.GetStream();
                string request = await ReadAsync(stream);
                _requests.Enqueue(request);
                (string status, string body) = Answer(request);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), _stopping.Token);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or SocketException)
        {
        }
    }

    private async Task<string> ReadAsync(NetworkStream stream)
    {
        StringBuilder text = new();
        byte[] buffer = new byte[4096];
        while (!IsWhole(text.ToString()) && await stream.ReadAsync(buffer, _stopping.Token) is var count and > 0)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return text.ToString();
    }

    private static bool IsWhole(string text)
    {
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        const string name = "\r\nContent-Length: ";
        int length = text.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        return end >= 0 && (length < 0 || length > end || text.Length - end - 4 >= int.Parse(text[(length + name.Length)..].Split('\r')[0], CultureInfo.InvariantCulture));
    }

    private (string Status, string Body) Answer(string request)
    {
        string[] words = request.Split(' ', 3);
        return (words[0], words[1].TrimEnd('/')) switch
        {
            ("GET", "/container") => ("200 OK", Json()),
            ("PUT", "/latest/api/token") => ("200 OK", MetadataToken),
            ("GET", MetadataPath) when HasToken(request) => ("200 OK", "role"),
            ("GET", MetadataPath + "/role") when HasToken(request) => ("200 OK", Json()),
            ("GET", _) when words[1].StartsWith(MetadataPath, StringComparison.Ordinal) => ("401 Unauthorized", ""),
            ("POST", "") when request.Contains("Action=AssumeRoleWithWebIdentity", StringComparison.Ordinal) => ("200 OK", Xml()),
            _ => ("404 Not Found", ""),
        };
    }

    private static bool HasToken(string request) => request.Contains(MetadataToken, StringComparison.Ordinal);

    private (string Id, string Expiration) Give()
    {
        string id = $"TEMP{Interlocked.Increment(ref _given)}";
        DateTimeOffset end = TimeProvider.System.GetUtcNow() + Lifetime;
        _expiry[id] = end;
        return (id, end.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
    }

    private string Json()
    {
        (string id, string expiration) = Give();
        return $$"""{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{{id}}","SecretAccessKey":"secret","Token":"token-of-{{id}}","Expiration":"{{expiration}}","LastUpdated":"2026-01-01T00:00:00Z"}""";
    }

    private string Xml()
    {
        (string id, string expiration) = Give();
        return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>"
            + $"<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token-of-{id}</SessionToken><Expiration>{expiration}</Expiration></Credentials>"
            + "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/reader/x</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>"
            + "</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>";
    }
}
