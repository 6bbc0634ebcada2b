using System.Collections.Frozen;

namespace Forebay.Admin.Api;

/// <summary>Who may call a route.</summary>
internal enum AdminAccess
{
    /// <summary>Everybody: tells nothing about the data.</summary>
    Open,

    /// <summary>Everybody on the same machine; others need credentials.</summary>
    OpenOnLoopback,

    /// <summary>Credentials needed.</summary>
    Authenticated,
}

/// <summary>One row of the table of routes.</summary>
internal sealed record AdminRoute(string Method, string Pattern, AdminAccess Access, Func<AdminContext, Task> Handler);

/// <summary>The table of routes. A pattern is a literal path, or one that ends in <c>{id}</c>.</summary>
internal static class AdminRoutes
{
    public const string Prefix = "/api/v1";

    private const string IdSuffix = "{id}";

    public static IReadOnlyList<AdminRoute> All { get; } =
    [
        new("GET", "/api/v1/version", AdminAccess.Authenticated, StatusHandlers.VersionAsync),
        new("GET", "/api/v1/endpoints", AdminAccess.Open, StatusHandlers.EndpointsAsync),
        new("GET", "/api/v1/status", AdminAccess.Authenticated, StatusHandlers.StatusAsync),
        new("GET", "/api/v1/mounts", AdminAccess.Authenticated, StatusHandlers.MountsAsync),
        new("GET", "/api/v1/ls", AdminAccess.Authenticated, NamespaceHandlers.ListAsync),
        new("GET", "/api/v1/stat", AdminAccess.Authenticated, NamespaceHandlers.StatAsync),
        new("GET", "/api/v1/du", AdminAccess.Authenticated, NamespaceHandlers.MeasureAsync),
        new("GET", "/api/v1/objects", AdminAccess.Authenticated, ObjectHandlers.ReadAsync),
        new("POST", "/api/v1/load", AdminAccess.Authenticated, CacheHandlers.StartLoadAsync),
        new("GET", "/api/v1/loads", AdminAccess.Authenticated, CacheHandlers.LoadsAsync),
        new("GET", "/api/v1/loads/{id}", AdminAccess.Authenticated, CacheHandlers.LoadAsync),
        new("DELETE", "/api/v1/loads/{id}", AdminAccess.Authenticated, CacheHandlers.CancelLoadAsync),
        new("POST", "/api/v1/free", AdminAccess.Authenticated, CacheHandlers.FreeAsync),
        new("GET", "/api/v1/pins", AdminAccess.Authenticated, CacheHandlers.PinsAsync),
        new("POST", "/api/v1/pin", AdminAccess.Authenticated, CacheHandlers.PinAsync),
        new("POST", "/api/v1/unpin", AdminAccess.Authenticated, CacheHandlers.UnpinAsync),
        new("POST", "/api/v1/refresh", AdminAccess.Authenticated, CacheHandlers.RefreshAsync),
        new("GET", "/api/v1/access-log", AdminAccess.Authenticated, AccessLogHandlers.StatusAsync),
        new("POST", "/api/v1/access-log", AdminAccess.Authenticated, AccessLogHandlers.SwitchAsync),
        new("GET", "/api/v1/openapi.json", AdminAccess.Open, StatusHandlers.OpenApiAsync),
        new("GET", "/metrics", AdminAccess.OpenOnLoopback, StatusHandlers.MetricsAsync),
        new("GET", "/healthz", AdminAccess.Open, StatusHandlers.HealthAsync),
        new("GET", "/readyz", AdminAccess.Open, StatusHandlers.ReadyAsync),
        new("GET", "/", AdminAccess.Open, static context => PageHandlers.ServeAsync(context, "index.html", "text/html; charset=utf-8")),
        new("GET", "/page.css", AdminAccess.Open, static context => PageHandlers.ServeAsync(context, "page.css", "text/css; charset=utf-8")),
        new("GET", "/page.js", AdminAccess.Open, static context => PageHandlers.ServeAsync(context, "page.js", "text/javascript; charset=utf-8")),
    ];

    private static readonly FrozenDictionary<string, AdminRoute[]> ByPattern = All
        .GroupBy(route => route.Pattern, StringComparer.Ordinal)
        .ToFrozenDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal);

    /// <summary>Routes of a path, one for each method; empty when there is no such path.</summary>
    public static ReadOnlySpan<AdminRoute> Find(string path, out string id)
    {
        id = "";
        if (ByPattern.TryGetValue(path, out AdminRoute[]? routes))
        {
            return routes;
        }

        int slash = path.LastIndexOf('/');
        id = path[(slash + 1)..];
        return id.Length > 0 && ByPattern.TryGetValue(string.Concat(path.AsSpan(0, slash + 1), IdSuffix), out routes) ? routes : [];
    }
}
