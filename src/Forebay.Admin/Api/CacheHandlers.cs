using Forebay.Core;
using Forebay.Engine;
using Microsoft.AspNetCore.Http;

namespace Forebay.Admin.Api;

/// <summary>Changes what is cached. None of these ever changes an under-store.</summary>
internal static class CacheHandlers
{
    private const int MaxPaths = 1_000;

    public static async Task StartLoadAsync(AdminContext context)
    {
        LoadBody body = context.ReadBody(AdminJson.Default.LoadBody);
        if (body.Paths is not { Count: > 0 and <= MaxPaths } paths)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"'paths' holds {body.Paths?.Count ?? 0} paths; give 1 to {MaxPaths}.");
        }

        var request = new LoadRequest(paths, body.Pin);
        if (body.Parallelism is { } parallelism)
        {
            request = parallelism is >= 1 and <= 256
                ? request with { Parallelism = parallelism }
                : throw new ForebayException(ErrorKind.InvalidArgument, $"'parallelism' is {parallelism}; it lies between 1 and 256.");
        }

        LoadStatus load = await context.Node.StartLoadAsync(request, context.Aborted);
        context.Http.Response.Headers.Location = $"{AdminRoutes.Prefix}/loads/{load.Id}";
        await context.WriteAsync(load, AdminJson.Default.LoadStatus, StatusCodes.Status202Accepted);
    }

    public static Task LoadsAsync(AdminContext context)
        => context.WriteAsync<IReadOnlyList<LoadStatus>>(context.Node.Loads, AdminJson.Default.IReadOnlyListLoadStatus);

    public static Task LoadAsync(AdminContext context)
        => context.WriteAsync(FindLoad(context), AdminJson.Default.LoadStatus);

    public static Task CancelLoadAsync(AdminContext context)
    {
        LoadStatus load = FindLoad(context);
        return context.Node.CancelLoad(load.Id)
            ? context.WriteAsync(new Acknowledgement(true), AdminJson.Default.Acknowledgement)
            : throw new ForebayException(ErrorKind.InvalidArgument, $"The load '{load.Id}' has already ended ({load.State}).");
    }

    public static async Task FreeAsync(AdminContext context)
    {
        FreeBody body = context.ReadBody(AdminJson.Default.FreeBody);
        CacheChange change = await context.Node.FreeAsync(Required(body.Path), body.PinnedToo, body.DryRun, context.Aborted);
        await context.WriteAsync(change, AdminJson.Default.CacheChange);
    }

    public static async Task PinAsync(AdminContext context)
    {
        PathBody body = context.ReadBody(AdminJson.Default.PathBody);
        await context.WriteAsync(await context.Node.PinAsync(Required(body.Path), context.Aborted), AdminJson.Default.CacheChange);
    }

    public static Task UnpinAsync(AdminContext context)
    {
        PathBody body = context.ReadBody(AdminJson.Default.PathBody);
        return context.WriteAsync(context.Node.Unpin(Required(body.Path)), AdminJson.Default.CacheChange);
    }

    public static Task PinsAsync(AdminContext context) => context.WriteAsync(context.Node.GetPins(), AdminJson.Default.IReadOnlyListPinDescription);

    public static async Task RefreshAsync(AdminContext context)
    {
        PathBody body = context.ReadBody(AdminJson.Default.PathBody);
        await context.Node.RefreshAsync(Required(body.Path), context.Aborted);
        await context.WriteAsync(new Acknowledgement(true), AdminJson.Default.Acknowledgement);
    }

    private static string Required(string? path)
        => path ?? throw new ForebayException(ErrorKind.InvalidArgument, "The member 'path' is missing from the request body.");

    private static LoadStatus FindLoad(AdminContext context)
        => context.Node.FindLoad(context.RouteId)
            ?? throw new ForebayException(ErrorKind.NotFound, $"There is no load '{context.RouteId}'; loads are forgotten when the node restarts.");
}
