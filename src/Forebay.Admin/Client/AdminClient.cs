using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Forebay.Admin.Api;
using Forebay.Admin.Authentication;
using Forebay.Engine;
using Forebay.Engine.Status;

namespace Forebay.Admin.Client;

/// <summary>A client of the admin API of one node. Thread-safe; dispose it. Every method throws <see cref="AdminClientException"/>.</summary>
public sealed class AdminClient : IDisposable
{
    private static readonly TimeSpan SocketRetryInterval = TimeSpan.FromMilliseconds(50);
    private static readonly string EmptyBodyHash = RequestSignature.HashHex([]);

    private readonly HttpClient _http;
    private readonly AdminCredentials _credentials;
    private readonly TimeProvider _time;
    private readonly string? _socketPath;

    /// <summary>Creates a client; nothing is sent yet.</summary>
    /// <param name="address">Base address, see <see cref="ParseAddress"/>.</param>
    /// <param name="credentials">What to show.</param>
    /// <param name="time">Clock, for signatures.</param>
    public AdminClient(Uri address, AdminCredentials credentials, TimeProvider time)
        : this(address, credentials, time, socketPath: null)
    {
    }

    private AdminClient(Uri address, AdminCredentials credentials, TimeProvider time, string? socketPath)
    {
        Address = address;
        _credentials = credentials;
        _time = time;
        _socketPath = socketPath;
#pragma warning disable CA2000 // The client disposes its handler.
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            ActivityHeadersPropagator = null,
            ConnectCallback = socketPath is null ? null : (_, cancellationToken) => ConnectAsync(socketPath, time, cancellationToken),
        })
        {
            BaseAddress = address,

            // Measuring a large prefix takes as long as it takes; the caller's token ends it.
            Timeout = Timeout.InfiniteTimeSpan,
        };
#pragma warning restore CA2000
    }

    /// <summary>What a node on a local socket is called in requests.</summary>
    public static Uri SocketAddress { get; } = new("http://localhost");

    /// <summary>A client of a node that listens on a local socket; the socket's owner needs no credentials. Waits a moment for a node that just starts.</summary>
    /// <param name="path">Path of the socket.</param>
    /// <param name="time">Clock.</param>
    public static AdminClient OverSocket(string path, TimeProvider time) => new(SocketAddress, AdminCredentials.None, time, path);

    /// <summary>The node's address.</summary>
    public Uri Address { get; }

    /// <summary>Reads <c>host:port</c>, <c>host</c> (port 9001) or an http(s) URL; null when it is none of them.</summary>
    public static Uri? ParseAddress(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool hasScheme = text.Contains("://", StringComparison.Ordinal);
        if (!Uri.TryCreate(hasScheme ? text : $"http://{text}", UriKind.Absolute, out Uri? address)
            || (!string.Equals(address.Scheme, "http", StringComparison.Ordinal) && !string.Equals(address.Scheme, "https", StringComparison.Ordinal))
            || address.UserInfo.Length > 0 || address.Host.Length == 0)
        {
            return null;
        }

        bool hasPort = hasScheme || text.EndsWith($":{address.Port}", StringComparison.Ordinal);
        return new UriBuilder(address.Scheme, address.Host, hasPort ? address.Port : 9001).Uri;
    }

    /// <summary><c>GET version</c>.</summary>
    public Task<VersionInfo> GetVersionAsync(CancellationToken cancellationToken)
        => GetAsync("version", AdminJson.Default.VersionInfo, cancellationToken);

    /// <summary><c>GET endpoints</c>.</summary>
    public Task<NodeEndpoints> GetEndpointsAsync(CancellationToken cancellationToken)
        => GetAsync("endpoints", AdminJson.Default.NodeEndpoints, cancellationToken);

    /// <summary><c>GET status</c>.</summary>
    public Task<NodeStatus> GetStatusAsync(CancellationToken cancellationToken)
        => GetAsync("status", AdminJson.Default.NodeStatus, cancellationToken);

    /// <summary><c>GET /metrics</c>, in the Prometheus text format.</summary>
    public async Task<string> GetMetricsAsync(CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = CreateRequest(HttpMethod.Get, "/metrics", body: null, range: null);
        using HttpResponseMessage response = await SendCoreAsync(request, cancellationToken);
        try
        {
            return await response.Content.ReadAsStringAsync(cancellationToken);
        }
        catch (Exception error) when (error is IOException or HttpRequestException)
        {
            throw NotReachable(error);
        }
    }

    /// <summary><c>GET ls</c>, page after page.</summary>
    public async IAsyncEnumerable<ListingEntry> ListAsync(
        string path, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        do
        {
            string query = $"ls?path={Uri.EscapeDataString(path)}&recursive={(recursive ? "true" : "false")}"
                + (after is null ? "" : $"&after={Uri.EscapeDataString(after)}");
            Listing page = await GetAsync(query, AdminJson.Default.Listing, cancellationToken);
            foreach (ListingEntry entry in page.Entries)
            {
                yield return entry;
            }

            after = page.Next;
        }
        while (after is not null);
    }

    /// <summary><c>GET stat</c>.</summary>
    public Task<ObjectInfo> StatAsync(string path, CancellationToken cancellationToken)
        => GetAsync($"stat?path={Uri.EscapeDataString(path)}", AdminJson.Default.ObjectInfo, cancellationToken);

    /// <summary><c>GET du</c>.</summary>
    public Task<DiskUsage> MeasureAsync(string path, CancellationToken cancellationToken)
        => GetAsync($"du?path={Uri.EscapeDataString(path)}", AdminJson.Default.DiskUsage, cancellationToken);

    /// <summary><c>POST load</c>.</summary>
    public Task<LoadStatus> StartLoadAsync(LoadBody load, CancellationToken cancellationToken)
        => PostAsync("load", load, AdminJson.Default.LoadBody, AdminJson.Default.LoadStatus, cancellationToken);

    /// <summary><c>GET loads</c>.</summary>
    public Task<IReadOnlyList<LoadStatus>> GetLoadsAsync(CancellationToken cancellationToken)
        => GetAsync("loads", AdminJson.Default.IReadOnlyListLoadStatus, cancellationToken);

    /// <summary><c>GET loads/{id}</c>.</summary>
    public Task<LoadStatus> GetLoadAsync(string id, CancellationToken cancellationToken)
        => GetAsync($"loads/{Uri.EscapeDataString(id)}", AdminJson.Default.LoadStatus, cancellationToken);

    /// <summary><c>DELETE loads/{id}</c>.</summary>
    public async Task CancelLoadAsync(string id, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = CreateRequest(HttpMethod.Delete, $"loads/{Uri.EscapeDataString(id)}", body: null, range: null);
        request.Headers.Add(AdminApplication.IntentHeader, "1");
        _ = await SendAsync(request, AdminJson.Default.Acknowledgement, cancellationToken);
    }

    /// <summary><c>POST free</c>.</summary>
    public Task<CacheChange> FreeAsync(FreeBody free, CancellationToken cancellationToken)
        => PostAsync("free", free, AdminJson.Default.FreeBody, AdminJson.Default.CacheChange, cancellationToken);

    /// <summary><c>GET pins</c>.</summary>
    public Task<IReadOnlyList<PinDescription>> GetPinsAsync(CancellationToken cancellationToken)
        => GetAsync("pins", AdminJson.Default.IReadOnlyListPinDescription, cancellationToken);

    /// <summary><c>POST pin</c>.</summary>
    public Task<CacheChange> PinAsync(string path, CancellationToken cancellationToken)
        => PostAsync("pin", new PathBody { Path = path }, AdminJson.Default.PathBody, AdminJson.Default.CacheChange, cancellationToken);

    /// <summary><c>POST unpin</c>.</summary>
    public Task<CacheChange> UnpinAsync(string path, CancellationToken cancellationToken)
        => PostAsync("unpin", new PathBody { Path = path }, AdminJson.Default.PathBody, AdminJson.Default.CacheChange, cancellationToken);

    /// <summary><c>POST refresh</c>.</summary>
    public Task RefreshAsync(string path, CancellationToken cancellationToken)
        => PostAsync("refresh", new PathBody { Path = path }, AdminJson.Default.PathBody, AdminJson.Default.Acknowledgement, cancellationToken);

    /// <summary><c>GET access-log</c>; only mounts have one.</summary>
    public Task<AccessLogStatus> GetAccessLogAsync(CancellationToken cancellationToken)
        => GetAsync("access-log", AdminJson.Default.AccessLogStatus, cancellationToken);

    /// <summary><c>POST access-log</c>.</summary>
    public Task<AccessLogStatus> SwitchAccessLogAsync(bool on, string? file, CancellationToken cancellationToken)
        => PostAsync("access-log", new AccessLogBody { On = on, File = file }, AdminJson.Default.AccessLogBody, AdminJson.Default.AccessLogStatus, cancellationToken);

    /// <summary><c>GET objects</c>: copies the bytes of one object to a stream and checks their number.</summary>
    /// <param name="path">The object.</param>
    /// <param name="destination">Gets the bytes; not flushed.</param>
    /// <param name="cancellationToken">Ends the copy in the middle.</param>
    /// <returns>Bytes copied, the object's whole length.</returns>
    public async Task<long> CopyObjectAsync(string path, Stream destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using HttpRequestMessage request = CreateRequest(HttpMethod.Get, $"objects?path={Uri.EscapeDataString(path)}", body: null, range: null);
        using HttpResponseMessage response = await SendCoreAsync(request, cancellationToken);
        long expected = response.Content.Headers.ContentLength ?? -1;
        long copied = 0;
        byte[] buffer = new byte[256 << 10];
        await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
        while (true)
        {
            int read;
            try
            {
                read = await body.ReadAsync(buffer, cancellationToken);
            }
            catch (Exception error) when (error is IOException or HttpRequestException)
            {
                throw Truncated(path, copied, expected, error);
            }

            if (read == 0)
            {
                return copied == expected ? copied : throw Truncated(path, copied, expected, inner: null);
            }

            await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            copied += read;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static AdminClientException Truncated(string path, long copied, long expected, Exception? inner)
        => new("truncated", $"'{path}' ended after {copied} of {expected} bytes; try again.", requestId: null, inner);

    private async Task<T> GetAsync<T>(string target, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = CreateRequest(HttpMethod.Get, target, body: null, range: null);
        return await SendAsync(request, type, cancellationToken);
    }

    private async Task<T> PostAsync<TBody, T>(
        string target, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = CreateRequest(HttpMethod.Post, target, JsonSerializer.SerializeToUtf8Bytes(body, bodyType), range: null);
        return await SendAsync(request, type, cancellationToken);
    }

    private HttpRequestMessage CreateRequest(HttpMethod method, string target, byte[]? body, RangeHeaderValue? range)
    {
        var uri = new Uri(Address, target.StartsWith('/') ? target : $"/api/v1/{target}");
        var request = new HttpRequestMessage(method, uri);
        request.Headers.Range = range;
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        if (_credentials.Token is { } token)
        {
            request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
        }
        else if (_credentials is { AccessKeyId: { } key, SecretAccessKey: { } secret })
        {
            Sign(request, uri, body, key, secret);
        }

        return request;
    }

    private void Sign(HttpRequestMessage request, Uri uri, byte[]? body, string key, string secret)
    {
        string date = RequestSignature.FormatDate(_time.GetUtcNow());
        string scope = RequestSignature.Scope(date, RequestSignature.Region, RequestSignature.Service);
        string bodyHash = body is null ? EmptyBodyHash : RequestSignature.HashHex(body);
        string signature = RequestSignature.Compute(
            request.Method.Method,
            uri.AbsolutePath,
            uri.Query.TrimStart('?'),
            [("host", uri.Authority), (RequestSignature.BodyHashHeader, bodyHash), (RequestSignature.DateHeader, date)],
            bodyHash,
            date,
            scope,
            secret);
        request.Headers.Add(RequestSignature.DateHeader, date);
        request.Headers.Add(RequestSignature.BodyHashHeader, bodyHash);
        request.Headers.TryAddWithoutValidation(
            "authorization",
            $"{RequestSignature.Algorithm} Credential={key}/{scope},SignedHeaders={string.Join(';', RequestSignature.ClientHeaders)},Signature={signature}");
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await SendCoreAsync(request, cancellationToken);
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonSerializer.DeserializeAsync(body, type, cancellationToken)
                ?? throw new JsonException("null");
        }
        catch (Exception error) when (error is JsonException or IOException or HttpRequestException)
        {
            throw new AdminClientException("badAnswer", $"{Address.Authority} did not answer as a Forebay node would; is it the admin address?", requestId: null, error);
        }
    }

    private async Task<HttpResponseMessage> SendCoreAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException error)
        {
            throw NotReachable(error);
        }
        catch (TaskCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw NotReachable(error);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ReadErrorAsync(response, cancellationToken);
        }
    }

    private static async ValueTask<Stream> ConnectAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException)
            {
                // It is made a moment after a worker has taken over; the handler's time-out ends the waiting.
                socket.Dispose();
                await Task.Delay(SocketRetryInterval, time, cancellationToken);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    private AdminClientException NotReachable(Exception error)
        => new(
            AdminClientException.Unreachable,
            _socketPath is not null
                ? $"The worker of this mount does not answer at {_socketPath}; 'forebay mount --list' shows what runs."
                : $"No node answers at {Address.Authority}: start one with 'forebay serve', or name another with --admin or FOREBAY_ADMIN.",
            requestId: null,
            error);

    private static async Task<AdminClientException> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        string? requestId = response.Headers.TryGetValues("x-request-id", out IEnumerable<string>? ids) ? ids.FirstOrDefault() : null;
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            ErrorBody? error = await JsonSerializer.DeserializeAsync(body, AdminJson.Default.ErrorBody, cancellationToken);
            if (error?.Error is { } detail)
            {
                return new AdminClientException(detail.Kind, detail.Message, detail.RequestId);
            }
        }
        catch (JsonException)
        {
            // Not ours: a proxy, or another server on this port. The status is all there is to tell.
        }

        string kind = response.StatusCode == HttpStatusCode.NotFound ? "badAnswer" : "internal";
        return new AdminClientException(kind, $"The node answered {(int)response.StatusCode} without saying why.", requestId);
    }
}
