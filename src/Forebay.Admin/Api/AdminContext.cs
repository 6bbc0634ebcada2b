using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Forebay.Core;
using Forebay.Engine;
using Microsoft.AspNetCore.Http;

namespace Forebay.Admin.Api;

/// <summary>One request to the admin API.</summary>
internal sealed class AdminContext(HttpContext http, AdminServerOptions options, string requestId)
{
    public HttpContext Http => http;

    public AdminServerOptions Options => options;

    public INode Node => options.Node;

    public string RequestId => requestId;

    public CancellationToken Aborted => http.RequestAborted;

    /// <summary>The whole request body, at most <see cref="AdminApplication.MaxBodyBytes"/>.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>The last segment of a route that ends in <c>{id}</c>.</summary>
    public string RouteId { get; set; } = "";

    public string? Query(string name) => http.Request.Query.TryGetValue(name, out Microsoft.Extensions.Primitives.StringValues value) ? (string?)value : null;

    public string RequiredPath()
        => Query("path") ?? throw new ForebayException(ErrorKind.InvalidArgument, "The query parameter 'path' is missing; write ?path=/name/key.");

    public bool Flag(string name)
    {
        string? value = Query(name);
        return value switch
        {
            null or "false" or "0" => false,
            "" or "true" or "1" => true,
            _ => throw new ForebayException(ErrorKind.InvalidArgument, $"The query parameter '{name}' is '{value}'; write true or false."),
        };
    }

    public T ReadBody<T>(JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Body.Span, type)
                ?? throw new ForebayException(ErrorKind.InvalidArgument, "The request body is null; send a JSON object.");
        }
        catch (JsonException error)
        {
            throw new ForebayException(
                ErrorKind.InvalidArgument, $"The request body is not the JSON expected here (line {error.LineNumber + 1}, '{error.Path}').", error);
        }
    }

    public Task WriteAsync<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        return WriteBytesAsync(body, "application/json", status);
    }

    public async Task WriteBytesAsync(ReadOnlyMemory<byte> body, string contentType, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType;
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(body, Aborted);
        }
    }
}
