using Forebay.S3.Addressing;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Operations;

/// <summary>The <c>response-*</c> parameters of a signed GET, which replace headers of the answer.</summary>
internal static class ResponseOverrides
{
    private static readonly (string Parameter, string Header)[] Names =
    [
        ("response-content-type", "Content-Type"),
        ("response-content-language", "Content-Language"),
        ("response-expires", "Expires"),
        ("response-cache-control", "Cache-Control"),
        ("response-content-disposition", "Content-Disposition"),
        ("response-content-encoding", "Content-Encoding"),
    ];

    /// <summary>Checks the parameters before anything is opened.</summary>
    /// <returns>Null, or the error to answer.</returns>
    public static S3Error? Check(S3Request request)
    {
        foreach ((string parameter, _) in Names)
        {
            if (request.Query.Get(parameter) is not { } value)
            {
                continue;
            }

            if (request.Identity.IsAnonymous)
            {
                return S3Errors.InvalidRequest with { Message = "Request specific response headers cannot be used for anonymous GET requests." };
            }

            if (!HeaderText.IsPlain(value))
            {
                return (S3Errors.InvalidArgument with { Message = "Header values may hold printable ASCII characters only." })
                    .With("ArgumentName", parameter)
                    .With("ArgumentValue", PercentCoding.Encode(value));
            }
        }

        return null;
    }

    public static void Apply(QueryParameters query, IHeaderDictionary headers)
    {
        if (query.Count == 0)
        {
            return;
        }

        foreach ((string parameter, string header) in Names)
        {
            if (query.Get(parameter) is { } value)
            {
                headers[header] = value;
            }
        }
    }
}
