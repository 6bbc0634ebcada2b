namespace Forebay.Admin.Api;

/// <summary>The static page; everything it shows comes from the public API.</summary>
internal static class PageHandlers
{
    public static Task ServeAsync(AdminContext context, string file, string contentType)
    {
        context.Http.Response.Headers.ContentSecurityPolicy
            = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        return context.WriteBytesAsync(EmbeddedFile.Read($"page/{file}"), contentType);
    }
}
