using System.Buffers;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Forebay.Admin.Api;
using Forebay.Admin.Authentication;
using Forebay.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Forebay.Admin;

/// <summary>The admin API as one request handler, for <see cref="AdminServer"/> or any other listener. Thread-safe.</summary>
/// <remarks>
/// A request passes these gates in order: host name (DNS rebinding), route, credentials, intent of a change (forged requests of
/// other sites), handler. Errors become answers here and nowhere else.
/// </remarks>
public sealed class AdminApplication
{
    private const int LinesPerSecond = 10;

    /// <summary>Most bytes of a request body.</summary>
    public const int MaxBodyBytes = 1 << 20;

    /// <summary>A change needs this header or a JSON content type; neither can be sent by a form of another site.</summary>
    public const string IntentHeader = "x-forebay-request";

    private readonly AdminServerOptions _options;
    private readonly ILogger _log;
    private readonly LineBudget _failures;
    private readonly LineBudget _faults;

    /// <summary>Creates the API.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: nobody could sign in.</exception>
    public AdminApplication(AdminServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Authenticators.Count == 0 && !options.AllowAnonymous)
        {
            throw new ForebayException(
                ErrorKind.InvalidArgument, "The admin API has no credentials; set FOREBAY_ADMIN_TOKEN or the endpoint's key pair, or allow anonymous access.");
        }

        _options = options;
        _log = options.LoggerFactory.CreateLogger("Forebay.Admin");
        _faults = new LineBudget(options.Time, LinesPerSecond, suppressed => AdminLog.MoreFailed(_log, suppressed));
        _failures = new LineBudget(options.Time, LinesPerSecond, suppressed => AdminLog.MoreFailed(_log, suppressed));
    }

    /// <summary>Answers one request.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        string requestId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var context = new AdminContext(http, _options, requestId);
        http.Response.Headers["x-request-id"] = requestId;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.CacheControl = "no-store";
        try
        {
            await DispatchAsync(context);
        }
        catch (ForebayException error)
        {
            int status = AdminErrorMap.StatusOf(error.Kind);
            if (error.RetryAfter is { } wait)
            {
                http.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            }

            LogFailure(context, status, error);
            await FailAsync(context, status, AdminErrorMap.WordOf(error.Kind), error.Message);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone; nobody reads an answer.
            http.Abort();
        }
        catch (BadHttpRequestException error)
        {
            await FailAsync(context, error.StatusCode, "invalidArgument", error.Message);
        }
        catch (Exception error)
        {
            LogFailure(context, StatusCodes.Status500InternalServerError, error);
            await FailAsync(context, StatusCodes.Status500InternalServerError, "internal", $"The node failed; its log names the cause beside {requestId}.");
        }
    }

    private async Task DispatchAsync(AdminContext context)
    {
        HttpRequest request = context.Http.Request;
        if (!IsExpectedHost(request.Host.Host))
        {
            await FailAsync(context, StatusCodes.Status421MisdirectedRequest, "forbiddenHost", "This host name is not one of this node; use its address, or allow the name.");
            return;
        }

        if (FindRoute(context, out string? allowed) is not { } route)
        {
            if (allowed is null)
            {
                await FailAsync(context, StatusCodes.Status404NotFound, "notFound", $"There is nothing at {request.Path}; /api/v1/openapi.json lists what there is.");
                return;
            }

            context.Http.Response.Headers.Allow = allowed;
            await FailAsync(context, StatusCodes.Status405MethodNotAllowed, "methodNotAllowed", $"{request.Path} takes {allowed} only.");
            return;
        }

        bool changes = !HttpMethods.IsGet(route.Method);
        if (changes)
        {
            context.Body = await ReadBodyAsync(context);
        }

        if (!IsOpen(route, context.Http.Connection.RemoteIpAddress) && await AuthenticateAsync(context) is { } refusal)
        {
            context.Http.Response.Headers.WWWAuthenticate = "Bearer realm=\"forebay\"";
            await FailAsync(context, StatusCodes.Status401Unauthorized, "unauthenticated", refusal);
            return;
        }

        if (changes && !request.Headers.ContainsKey(IntentHeader) && !IsJson(request.ContentType))
        {
            await FailAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "invalidArgument", $"A change is sent with 'content-type: application/json' or with a header {IntentHeader}.");
            return;
        }

        await route.Handler(context);
    }

    private static AdminRoute? FindRoute(AdminContext context, out string? allowed)
    {
        allowed = null;
        HttpRequest request = context.Http.Request;
        ReadOnlySpan<AdminRoute> routes = AdminRoutes.Find(request.Path.Value ?? "/", out string id);
        context.RouteId = id;
        foreach (AdminRoute route in routes)
        {
            if (string.Equals(route.Method, request.Method, StringComparison.Ordinal))
            {
                return route;
            }

            allowed = allowed is null ? route.Method : $"{allowed}, {route.Method}";
        }

        return null;
    }

    private bool IsOpen(AdminRoute route, IPAddress? caller)
        => _options.AllowAnonymous || route.Access switch
        {
            AdminAccess.Open => true,
            AdminAccess.OpenOnLoopback => caller is not null && IPAddress.IsLoopback(caller),
            _ => false,
        };

    private async ValueTask<string?> AuthenticateAsync(AdminContext context)
    {
        foreach (IAdminAuthenticator authenticator in _options.Authenticators)
        {
            AdminAuthentication result = await authenticator.AuthenticateAsync(context.Http.Request, context.Body, context.Aborted);
            if (result.Outcome == AdminAuthenticationOutcome.NotMine)
            {
                continue;
            }

            return result.Outcome == AdminAuthenticationOutcome.Accepted ? null : result.Reason;
        }

        return "This needs credentials: a bearer token (FOREBAY_ADMIN_TOKEN) or a request signed with the endpoint's key pair.";
    }

    private bool IsExpectedHost(string host)
    {
        if (_options.AllowedHosts.Contains(host, StringComparer.OrdinalIgnoreCase))
        {
            return true;
        }

        if (!IPAddress.IsLoopback(_options.Address.Address))
        {
            return _options.AllowedHosts.Count == 0;
        }

        // A page of another site that makes its name point to 127.0.0.1 still sends its own name here.
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.AsSpan().Trim("[]"), out IPAddress? address) && IPAddress.IsLoopback(address));
    }

    private static bool IsJson(string? contentType)
        => contentType is not null
            && (contentType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
                || contentType.StartsWith("application/json;", StringComparison.OrdinalIgnoreCase));

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(AdminContext context)
    {
        HttpRequest request = context.Http.Request;
        if (request.ContentLength is > MaxBodyBytes)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"The request body is larger than {MaxBodyBytes} bytes.");
        }

        var body = new ArrayBufferWriter<byte>();
        while (true)
        {
            int read = await request.Body.ReadAsync(body.GetMemory(4_096), context.Aborted);
            if (read == 0)
            {
                return body.WrittenMemory;
            }

            body.Advance(read);
            if (body.WrittenCount > MaxBodyBytes)
            {
                throw new ForebayException(ErrorKind.InvalidArgument, $"The request body is larger than {MaxBodyBytes} bytes.");
            }
        }
    }

    private void LogFailure(AdminContext context, int status, Exception error)
    {
        string path = FailureText.Printable(context.Http.Request.Path.Value ?? "/");
        if (status < StatusCodes.Status500InternalServerError)
        {
            AdminLog.Refused(_log, context.RequestId, context.Http.Request.Method, path, status, FailureText.Of(error));
        }
        else if (!FailureText.IsForeseen(error))
        {
            if (_faults.MayLog())
            {
                AdminLog.Broken(_log, error, context.RequestId, context.Http.Request.Method, path);
            }
        }
        else if (_failures.MayLog())
        {
            AdminLog.Failed(_log, context.RequestId, context.Http.Request.Method, path, status, FailureText.Of(error));
        }
    }

    private static async Task FailAsync(AdminContext context, int status, string kind, string message)
    {
        if (context.Http.Response.HasStarted)
        {
            // Half a body went out; only a broken connection tells the caller that it is not whole.
            context.Http.Abort();
            return;
        }

        await context.WriteAsync(new ErrorBody(new ErrorDetail(kind, message, context.RequestId)), AdminJson.Default.ErrorBody, status);
    }
}
